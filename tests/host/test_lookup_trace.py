"""Steps are heard where somebody listens, and nowhere else."""

import asyncio

from broker.host.lookup_trace import TraceStep, trace_step, tracing


def test_steps_are_heard_within_the_block_alone() -> None:
    heard: list[TraceStep] = []

    trace_step("before", "nobody listens")
    with tracing(heard.append):
        trace_step("match", "feed corp")
        trace_step("sign-in", "az", good=True)
    trace_step("after", "nobody listens any more")

    assert heard == [TraceStep("match", "feed corp", None), TraceStep("sign-in", "az", good=True)]


async def test_a_task_that_was_started_within_the_block_is_heard_after_it() -> None:
    heard: list[TraceStep] = []
    go = asyncio.Event()

    async def flight() -> None:
        await go.wait()
        trace_step("fetch", "done", good=False)

    with tracing(heard.append):
        flying = asyncio.create_task(flight())
    go.set()
    await flying

    assert heard == [TraceStep("fetch", "done", good=False)]
