"""A working directory is somebody else's: no shim opens a file there, whatever lies in wait."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.opened import Opened
from tests.contract.scripted_broker import ScriptedBroker, answers, credential
from tests.contract.shims import CLIENT, Shim

URL = "https://feed.example/simple/"
PLANTED = (
    *("_socket.py", "struct.py", "fcntl.py", "socket.py", "http.py", "json.py", "typing.py", "keyring.py"),
    *("token_broker_client.py", "token_broker_keyring.py", "sitecustomize.py", "usercustomize.py"),
    *("keyring", "brokerd", "keyring-shim", "broker.sock", "pyproject.toml", "uv.toml", "pip.conf", ".env"),
)
STRACE = shutil.which("strace")
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def hostile(place: Path) -> Path:
    """A directory full of programs and modules that tell when they run."""
    folder = place / "hostile"
    for below in (folder, folder / "lib", folder / "token-broker"):
        below.mkdir()
        for name in PLANTED:
            (below / name).write_text("#!/bin/sh\nraise SystemExit('hostile')\nexit 66\n")
            (below / name).chmod(0o755)
    return folder


@linux_only
def test_watch_tells_what_is_opened(hostile: Path) -> None:
    with Opened(hostile) as opened:
        (hostile / "lib/struct.py").read_text()

        assert "struct.py" in opened.names()


@linux_only
@pytest.mark.parametrize("status", [200, 404, 503])
def test_nothing_below_the_working_directory_is_opened(
    shim: Shim, broker: ScriptedBroker, hostile: Path, status: int
) -> None:
    broker.will(credential("Fred", "s3cret") if status == 200 else answers(status, "labs: no; run: it\n"))
    path = ":.:lib:token-broker"

    with Opened(hostile) as opened:
        ended = shim("get", URL, "Fred", directory=hostile, PATH=path)
        names = opened.names()

    assert (ended.code, names) == (0 if status == 200 else 1, [])


@linux_only
@pytest.mark.skipif(STRACE is None, reason="strace is not here")
@pytest.mark.parametrize("status", [200, 404])
def test_nothing_below_the_working_directory_is_even_looked_at(
    shim: Shim, broker: ScriptedBroker, hostile: Path, place: Path, status: int
) -> None:
    broker.will(credential("Fred", "s3cret") if status == 200 else answers(404, "no feed\n"))
    trace = place / "trace"
    options = ("-f", "-s", "4096", "-e", "trace=%file", "-o", str(trace))
    traced = Shim(shim.program, shim.environment, shim.directory, prefix=(str(STRACE), *options))

    ended = traced("get", URL, "Fred", directory=hostile, PATH=":.:lib:token-broker")

    calls = [match for line in trace.read_text().splitlines() if (match := CALL.match(line))]
    looks = [
        call[2] for call in calls if call[1] not in ("execve", "getcwd") and "AT_EMPTY_PATH" not in call[2]
    ]
    paths = [path for look in looks for path in re.findall(r'"([^"]*)"', look)[:1]]
    assert ended.code == (0 if status == 200 else 1)
    assert str(place / "run") in paths
    assert [path for path in paths if not path.startswith("/") or Path(path).is_relative_to(hostile)] == []


@linux_only
def test_relative_variables_lead_nowhere(shim: Shim, hostile: Path) -> None:
    relative: dict[str, Any] = dict.fromkeys(
        ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "TOKEN_BROKER_SOCKET"), "."
    )

    with Opened(hostile) as opened:
        ended = shim("get", URL, "Fred", directory=hostile, PATH=".", **relative)
        names = opened.names()

    assert (ended.code, names) == (1, [])


@pytest.mark.parametrize("path", [".", "", ":lib", "lib:"])
def test_relative_module_path_imports_nothing(
    shim: Shim, broker: ScriptedBroker, hostile: Path, path: str
) -> None:
    broker.will(credential("Fred", "s3cret"))
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
    ):  # the interpreter's own business, before any line of ours
        for folder in (hostile, hostile / "lib"):
            (folder / name).unlink()
    for name in ("struct.py", "socket.py", "http.py", "json.py", "typing.py", "keyring.py"):
        assert (hostile / name).exists()

    ended = shim("get", URL, "Fred", directory=hostile, PYTHONPATH=path)

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


def test_module_run_by_name_imports_nothing_from_there(
    broker: ScriptedBroker, environment: dict[str, str], hostile: Path
) -> None:
    broker.will(credential("Fred", "s3cret"))
    (hostile / "token_broker_client.py").unlink()  # what `-m` finds there first is what was asked for
    module = Shim(Path("-m"), {**environment, "PYTHONPATH": str(CLIENT)}, hostile, prefix=(sys.executable,))

    ended = module("token_broker_client", "get", URL, "Fred")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")
