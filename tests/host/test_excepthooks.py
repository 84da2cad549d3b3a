import asyncio
import errno
import logging

import pytest

from broker.host.excepthooks import in_loop, place_of

TOKEN = "TBKTEST-0123456789abcdef"


def struck(error: BaseException, *origin: BaseException) -> BaseException:
    """The error as it is when it was raised, while the origin was being handled."""
    try:
        try:
            if origin:
                raise origin[0]
        finally:
            raise error
    except BaseException as raised:  # noqa: BLE001 - whatever it is
        return raised


def test_a_defects_kind_and_place_are_told_and_not_its_words() -> None:
    told = place_of(struck(ValueError(TOKEN)))

    assert told.startswith("Traceback (most recent call last):\n")
    assert ", in struck\n" in told
    assert told.endswith("\nValueError")


def test_what_it_came_of_is_told_first_and_once() -> None:
    error = struck(KeyError(TOKEN), struck(ValueError(TOKEN)))

    kinds = [part.rpartition("\n")[2] for part in place_of(error).split("\n\n")]

    assert kinds == ["ValueError", "KeyError"]


def test_the_parts_of_a_group_are_told() -> None:
    told = place_of(BaseExceptionGroup(TOKEN, [struck(ValueError(TOKEN)), struck(KeyError(TOKEN))]))

    assert [part.rpartition("\n")[2] for part in told.split("\n\n")] == [
        "ExceptionGroup",
        "ValueError",
        "KeyError",
    ]
    assert TOKEN not in told


def test_what_was_added_to_a_defect_is_not_told() -> None:
    error = struck(ValueError())
    error.add_note(TOKEN)

    assert TOKEN not in place_of(error)


def test_of_an_error_of_the_system_the_systems_own_words_are_told() -> None:
    told = place_of(OSError(errno.EMFILE, TOKEN, f"/{TOKEN}"))

    assert told.endswith("\nOSError: Too many open files")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (f"Exception in callback strike('{TOKEN}') at broker.py:1", "Exception in callback strike"),
        ("Task was destroyed but it is pending!", "Task was destroyed but it is pending!"),
    ],
)
async def test_a_loop_tells_no_argument_and_no_result(
    caplog: pytest.LogCaptureFixture, message: str, words: str
) -> None:
    error = struck(ValueError(TOKEN))
    in_loop(asyncio.get_running_loop(), {"message": message, "exception": error, "future": error})

    assert [(record.name, record.levelno, record.message) for record in caplog.records] == [
        ("asyncio", logging.ERROR, words)
    ]
