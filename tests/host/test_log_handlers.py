import io
import logging
import os
import re
import socket
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import pytest

from broker.core.log_buffer import LogBuffer
from broker.host.log_handlers import (
    JOURNAL_FORMAT,
    _Journal,
    _WithPriority,
    formatter_for,
    handlers_for,
    redacted,
)
from broker.host.unhurried_log import FILE_BYTES_MAX, LINES_MAX, SmallFile, UnhurriedLog


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


def filed(datagram: bytes) -> dict[str, str]:
    """The fields of a record in the journal's native protocol."""
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        fields[name.decode()] = rest[8 : 8 + length].decode()
        datagram = rest[8 + length + 1 :]
    return fields


def journal_handler(stream: TextIO, path: Path) -> logging.Handler:
    handler = _Journal(logging.StreamHandler(stream), str(path))
    handler.setFormatter(_WithPriority(JOURNAL_FORMAT))
    return handler


def test_the_journal_files_a_record_under_the_facts_of_its_line(place: Path) -> None:
    said = record(logging.WARNING, "renewal_failed realm=azure:acme took_ms=84: signed out realm=x\nand more")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(place / "journal"))
        handler = journal_handler(sys.stderr, place / "journal")
        handler.handle(said)
        handler.close()
        fields = filed(journal.recv(10_000))

    assert fields == {
        "MESSAGE": "broker.keeper: renewal_failed realm=azure:acme took_ms=84: signed out realm=x\nand more",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "token-broker",
        "LOGGER": "broker.keeper",
        "TOKEN_BROKER_REALM": "azure:acme",
        "TOKEN_BROKER_TOOK_MS": "84",
    }


def test_where_the_journals_socket_is_not_lines_go_to_stderr(place: Path) -> None:
    stream = io.StringIO()
    handler = journal_handler(stream, place / "nobody")

    handler.handle(record(logging.INFO))
    handler.close()

    assert stream.getvalue() == "<6>broker.keeper: renewed\n"


@pytest.mark.parametrize("told", [{}, {"JOURNAL_STREAM": "1:1"}, {"JOURNAL_STREAM": ""}])
def test_anybody_else_gets_the_level_as_a_word(told: dict[str, str]) -> None:
    with Path("/dev/null").open("w") as stream:
        formatter = formatter_for(told, stream)

    assert formatter.format(record(logging.INFO)) == "INFO broker.keeper: renewed"


def test_a_stream_that_is_closed_is_no_journal(tmp_path: Path) -> None:
    stream = (tmp_path / "stderr").open("w")
    stream.close()

    assert formatter_for({"JOURNAL_STREAM": "1:1"}, stream).format(record(logging.INFO)).startswith("INFO ")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("GET https://ci:sesame@feed.example/simple/", "GET https://****@feed.example/simple/"),
        ("header Authorization: Bearer abc.def", "header Authorization: Bearer ****"),
        ("header Authorization: Basic QWxhZGRpbg==", "header Authorization: Basic ****"),
        ("got eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln as answer", "got **** as answer"),
        (
            "renewed realm=azure:acme account=dev@acme.example",
            "renewed realm=azure:acme account=dev@acme.example",
        ),
        ("see https://feed.example/simple/@next", "see https://feed.example/simple/@next"),
    ],
)
def test_what_is_secret_by_its_form_is_not_said(said: str, kept: str) -> None:
    assert redacted(said) == kept


def test_a_pipe_that_nobody_reads_holds_up_no_one_and_what_was_left_out_is_counted() -> None:
    log_buffer = LogBuffer()
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        memory, out = handlers_for({}, stream, log_buffer)
        count = LINES_MAX + 200
        begun = threading.Event()

        def log_all() -> None:
            for number in range(count):
                for handler in (memory, out):
                    handler.handle(record(logging.INFO, f"{number} {'x' * 1000}"))
            begun.set()

        logger = threading.Thread(target=log_all, daemon=True)
        logger.start()
        was_held_up = not begun.wait(30)
        with os.fdopen(reading, "rb") as pipe:
            said = [pipe.readline().split()[2] for _ in range(LINES_MAX)]
            out.handle(record(logging.INFO, "last x"))
            rest = [pipe.readline() for _ in range(2)]
            while b"last" not in rest[-1]:
                rest.append(pipe.readline())

    assert not was_held_up
    assert said == [b"%d" % number for number in range(LINES_MAX)]
    assert any(b"lines were left out" in line for line in rest)
    assert log_buffer.after(0)[1] == count


def test_what_is_queued_is_written_before_the_end() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as pipe:
        out = handlers_for({}, stream, LogBuffer())[1]
        out.handle(record(logging.INFO, "renewed"))
        out.flush()
        os.set_blocking(reading, False)

        assert pipe.read() == b"INFO broker.keeper: renewed\n"


def test_file_gets_the_time_of_each_line_and_memory_the_same_line(tmp_path: Path) -> None:
    log_buffer = LogBuffer()
    with (tmp_path / "brokerd.log").open("w") as stream:
        for handler in handlers_for({}, stream, log_buffer):
            handler.handle(record(logging.INFO))
            handler.flush()

    line = (tmp_path / "brokerd.log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO broker.keeper: renewed\n", line)
    assert log_buffer.after(0) == ([line.rstrip("\n")], 1)


@pytest.mark.parametrize("flag", [0, os.O_APPEND])
def test_file_that_has_grown_begins_anew_with_what_is_remembered(tmp_path: Path, flag: int) -> None:
    file = tmp_path / "brokerd.log"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | flag), "w") as stream:
        stream.write("old\n" * (FILE_BYTES_MAX // 4))
        handlers = handlers_for({}, stream, LogBuffer())
        for message in ("before", "after"):
            for handler in handlers:
                handler.handle(record(logging.INFO, message))
        handlers[1].flush()

    lines = file.read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["before", "after"]


def test_file_begins_anew_with_each_line_once_while_others_queue(tmp_path: Path) -> None:
    file, goes_on = tmp_path / "brokerd.log", threading.Event()
    with file.open("w") as stream:
        stream.write("old\n" * (FILE_BYTES_MAX // 4))
        small = SmallFile(stream)

        def slowly(line: bytes) -> None:
            goes_on.wait(30)
            small(line)

        out = UnhurriedLog(slowly)
        for number in range(LINES_MAX):
            out.handle(record(logging.INFO, f"{number}"))
        goes_on.set()
        out.flush()

    assert file.read_text().splitlines() == [f"{number}" for number in range(LINES_MAX)]


def test_file_of_long_lines_does_not_begin_anew_at_each_of_them(tmp_path: Path) -> None:
    with (tmp_path / "brokerd.log").open("w") as stream:
        small, sizes = SmallFile(stream), []
        for number in range(1000):
            small(b"%d %s\n" % (number, b"x" * 4_000))
            sizes.append(os.fstat(stream.fileno()).st_size)

    shrunk = sum(after < before for before, after in pairwise(sizes))
    assert max(sizes) <= FILE_BYTES_MAX
    assert 1 <= shrunk <= 10


def test_a_file_is_written_by_a_thread_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, writers = os.write, set()

    def seen(descriptor: int, text: bytes) -> int:
        writers.add(threading.current_thread().name)
        return write(descriptor, text)

    monkeypatch.setattr(os, "write", seen)
    with (tmp_path / "brokerd.log").open("w") as stream:
        out = handlers_for({}, stream, LogBuffer())[1]
        out.handle(record(logging.INFO))
        out.flush()

    assert writers == {"log"}


def test_where_no_thread_can_be_started_lines_wait_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with (tmp_path / "brokerd.log").open("w") as stream:
        out = handlers_for({}, stream, LogBuffer())[1]
        with monkeypatch.context() as shortage:
            shortage.setattr(threading.Thread, "start", start)
            out.handle(record(logging.INFO, "before"))
        out.handle(record(logging.INFO, "after"))
        out.flush()

    lines = (tmp_path / "brokerd.log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["before", "after"]


def test_a_message_that_does_not_fit_its_arguments_harms_nobody(tmp_path: Path) -> None:
    log_buffer = LogBuffer()
    odd = logging.LogRecord("urllib3", logging.INFO, __file__, 1, "%d of %s", ("sesame",), None)
    with (tmp_path / "brokerd.log").open("w") as stream:
        for handler in handlers_for({}, stream, log_buffer):
            handler.handle(odd)
            handler.flush()

    (line,), _ = log_buffer.after(0)
    assert line.startswith("INFO urllib3: a message that cannot be formed (TypeError")
    assert (tmp_path / "brokerd.log").read_text() == f"{line}\n"
