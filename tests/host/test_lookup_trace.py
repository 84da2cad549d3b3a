"""Steps are heard where somebody listens, and nowhere else."""

import asyncio

from broker.host.lookup_trace import Step, heard_by, tell


def test_steps_are_heard_within_the_block_alone() -> None:
    heard: list[Step] = []

    tell("before", "nobody listens")
    with heard_by(heard.append):
        tell("match", "feed corp")
        tell("sign-in", "az", good=True)
    tell("after", "nobody listens any more")

    assert heard == [Step("match", "feed corp", None), Step("sign-in", "az", good=True)]


async def test_a_task_that_was_started_within_the_block_is_heard_after_it() -> None:
    heard: list[Step] = []
    go = asyncio.Event()

    async def flight() -> None:
        await go.wait()
        tell("fetch", "done", good=False)

    with heard_by(heard.append):
        flying = asyncio.create_task(flight())
    go.set()
    await flying

    assert heard == [Step("fetch", "done", good=False)]
