import logging
from pathlib import Path

import pytest

from broker.host.journal import formatter_for


def record(level: int, message: str = "renewed") -> logging.LogRecord:
    return logging.LogRecord("broker.keeper", level, __file__, 1, message, None, None)


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (logging.DEBUG, "<7>broker.keeper: renewed"),
        (logging.INFO, "<6>broker.keeper: renewed"),
        (logging.WARNING, "<4>broker.keeper: renewed"),
        (logging.ERROR, "<3>broker.keeper: renewed"),
        (logging.CRITICAL, "<2>broker.keeper: renewed"),
    ],
)
def test_the_journal_gets_each_line_with_its_priority(tmp_path: Path, level: int, line: str) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        found = (tmp_path / "stderr").stat()
        formatter = formatter_for({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, stream)

    assert formatter.format(record(level)) == line
    assert formatter.format(record(level, "renewed\nb")).count("<") == 2


@pytest.mark.parametrize("told", [{}, {"JOURNAL_STREAM": "1:1"}, {"JOURNAL_STREAM": ""}])
def test_anybody_else_gets_the_level_as_a_word(tmp_path: Path, told: dict[str, str]) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        formatter = formatter_for(told, stream)

    assert formatter.format(record(logging.INFO)) == "INFO broker.keeper: renewed"


def test_a_stream_that_is_closed_is_no_journal(tmp_path: Path) -> None:
    stream = (tmp_path / "stderr").open("w")
    stream.close()

    assert formatter_for({"JOURNAL_STREAM": "1:1"}, stream).format(record(logging.INFO)).startswith("INFO ")
