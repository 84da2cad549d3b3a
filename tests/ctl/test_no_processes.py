"""Where the system starts no more processes, `brokerctl` says so in a line, as its own failure."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.core.shortage import shortage_of
from broker.ctl.doctor import sign_in_checks
from tests.ctl.clinic import found
from tests.ctl.found_feeds import broker, empty_handed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.clinic import Clinic
    from tests.ctl.conftest import Ended

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"

SHORTAGES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)


@pytest.mark.parametrize("number", SHORTAGES, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("exec", "true"), 125),
        (("exec", "--gateway", "true"), 125),
        (("why", "true"), 125),
        (("start",), 1),
        (("doctor",), 1),
        (("setup",), 0),
        (("add", "https://feed.example/simple/", "--provider", "basic"), 1),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_a_process_that_cannot_be_started_is_told_and_no_defect(
    brokerctl: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    number: int,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", failing)
    monkeypatch.delenv("TOKEN_BROKER_AUTOSTART", raising=False)

    ended = brokerctl(*words)

    assert "Traceback" not in ended.stderr
    assert "not installed" not in ended.stdout + ended.stderr
    assert "cannot be used" not in ended.stderr
    assert "defect" not in ended.stderr
    assert ended.exit_code == code, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(("exec", "true"), 125), (("why", "true"), 125), (("demo",), 1), (("doctor",), 1), (("discover",), 0)],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_a_thread_that_cannot_be_started_is_told_and_no_defect(
    brokerctl: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    def failing(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", failing)

    ended = brokerctl(*words)

    assert "Traceback" not in ended.stderr
    assert "defect" not in ended.stderr
    assert "failed: " not in ended.stdout
    assert ended.exit_code == code, ended.stdout + ended.stderr
    if not ended.stdout:
        assert (
            ended.stderr
            == "token-broker: this machine refused it: "
            + str(shortage_of(RuntimeError("can't start new thread")))
            + "\n"
        )


def test_an_az_that_finds_no_process_is_not_signed_out(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    clinic.program("az", "exit 0")
    room = clinic.room(broker(empty_handed("corp", "sign-in-needed")))
    monkeypatch.setattr(subprocess, "run", failing)

    ((_, said, _),) = found(sign_in_checks.az_is_signed_in, room)

    assert "could not be started: this user or service may start no more processes" in said


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_exec_passes_its_commands_words_byte_by_byte(locale: str) -> None:
    words = [b"\xff\xfe", "ä".encode(), b"a\xc3"]
    show = "import os, sys; os.write(1, b' '.join(map(os.fsencode, sys.argv[1:])))"
    run: list[str | bytes | Path] = [BROKERCTL, "exec", "--", sys.executable, "-c", show, *words]

    ended = subprocess.run(
        run,
        env={**os.environ, "LC_ALL": locale, "LANG": locale},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (ended.stdout, ended.returncode) == (b" ".join(words), 0)
