import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from broker.host.aside import Aside, EndedByWork, in_thread

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO")


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


async def test_what_the_work_returns_or_raises_reaches_the_caller() -> None:
    assert await in_thread(lambda: 1) == 1
    with pytest.raises(KeyError):
        await in_thread(raising(KeyError("x")))


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("run", [in_thread, lambda work: Aside().run(work, 10)], ids=["thread", "aside"])
async def test_what_would_end_the_loop_or_the_wait_is_an_error_of_the_work(
    error: BaseException, run: Callable[[Callable[[], None]], asyncio.Future[None]]
) -> None:
    with pytest.raises(EndedByWork, match=f"^{type(error).__name__} in test_aside.py line"):
        await asyncio.wait_for(run(raising(error)), 10)


async def test_the_thread_knows_its_callers_context() -> None:
    WHO.set("the caller")

    assert await in_thread(WHO.get) == "the caller"


async def test_while_one_hangs_those_after_it_fail_at_once() -> None:
    aside, goes_on = Aside(), threading.Event()
    with pytest.raises(TimeoutError):
        await aside.run(goes_on.wait, 0.01)

    with pytest.raises(TimeoutError):
        await aside.run(lambda: 1, 3600)
    goes_on.set()

    while True:
        try:
            assert await aside.run(lambda: 2, 10) == 2
            break
        except TimeoutError:
            await asyncio.sleep(0)


HANGING = """
import asyncio, threading
from broker.host.aside import in_thread

async def main():
    begun = threading.Event()
    in_thread(lambda: (begun.set(), threading.Event().wait()))
    begun.wait()

asyncio.run(main())
"""


def test_no_end_of_the_process_waits_for_work_that_hangs() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGING], timeout=60, check=False)

    assert ended.returncode == 0
