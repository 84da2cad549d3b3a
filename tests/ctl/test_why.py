"""`brokerctl why` with programs that stand in for package clients: what it passes on, and how it ends.
The real clients: `tests/e2e/test_why_in_the_field.py`.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ctl.conftest import Ended
from tests.ctl.test_accounts import recorded
from tests.fakes.authority import shared_authority
from tests.fakes.http1 import Response
from tests.fakes.loopback import WebServer

BROKERCTL = Path(sys.executable).parent / "brokerctl"
PATIENCE_S = 60
INDEX = "https://packages.example/simple/"


def run(*words: str, **more: str) -> Ended:
    done = subprocess.run(
        [BROKERCTL, "why", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, **more},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def stand_in(folder: Path, name: str, text: str) -> str:
    """A program of this name."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def uv_that_says(folder: Path, account: bytes, exit_code: int = 2) -> str:
    """A uv that writes this on stderr."""
    (folder / "said").write_bytes(account)
    words = f'case $1 in --version) echo "uv 0.13.9"; exit;; esac\ncat {folder}/said >&2; exit {exit_code}'
    return stand_in(folder, "uv", words)


def test_a_command_that_works_is_summed_up_in_one_line_and_keeps_its_output() -> None:
    ended = run("--", "sh", "-c", "echo out; echo err >&2")

    assert ended == Ended(0, "out\n", "err\ntoken-broker: nothing failed; the broker saw no look-up\n")


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("false",), 1),
        (("--", "sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -KILL $$"), 137),
        ((), 125),
        (("no-such-command",), 127),
        (("/etc/hosts",), 126),
    ],
)
def test_exit_code_is_the_commands_own_or_one_of_three(words: tuple[str, ...], exit_code: int) -> None:
    assert run(*words).exit_code == exit_code


def test_what_keeps_us_from_explaining_changes_no_exit_code() -> None:
    program = (
        "import sys; from broker.ctl.why import told_run, evidence;"
        "evidence.Evidence.indexes = property(lambda self: 1 / 0);"
        "sys.exit(told_run.told_run(['sh', '-c', 'exit 7'], as_json=False))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    told = "this failure cannot be explained (ZeroDivisionError); run: brokerctl doctor --report"
    assert (done.returncode, done.stderr) == (7, f"token-broker: {told}\n")


def test_a_command_whose_reader_has_gone_ends_as_it_does_without_us() -> None:
    script = f"{{ {BROKERCTL} why -- yes; echo $? >&2; }} | head -n 1"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )

    assert (done.stdout, done.stderr.splitlines()[-1]) == ("y\n", "141")


def test_a_failure_that_is_about_no_index_is_not_explained() -> None:
    ended = run("false")

    assert ended.stderr == " ✓ no index was heard of, and the broker saw no look-up\n"


def test_the_account_is_on_for_all_that_the_command_starts_and_its_file_is_private(room: Path) -> None:
    ended = run("sh", "-c", 'echo "$RUST_LOG"; stat -c %a "$PIP_LOG"; echo "$PIP_LOG"')

    level, mode, log = ended.stdout.splitlines()
    assert level.startswith("uv_auth=")
    assert mode == "600"
    assert log.startswith(str(room))
    assert not Path(log).exists()


def test_what_the_user_wants_to_see_is_added_to_and_his_log_stays_his(tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    log.write_text("2026-01-01T00:00:00,000 Looking in indexes: https://before.example/simple/\n")

    ended = run("sh", "-c", 'echo "$RUST_LOG $PIP_LOG"', RUST_LOG="uv=debug", PIP_LOG=str(log))

    assert ended.stdout.startswith("uv=debug,uv_auth=")
    assert ended.stdout.strip().endswith(str(log))
    assert log.exists()


def test_bytes_of_stdout_are_untouched_and_many(tmp_path: Path) -> None:
    lump = os.urandom(1 << 20)
    (tmp_path / "lump").write_bytes(lump)

    done = subprocess.run(
        [BROKERCTL, "why", "sh", "-c", f"cat {tmp_path}/lump; cat {tmp_path}/lump >&2"],
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.stdout == lump
    assert done.stderr.startswith(lump)


@pytest.mark.parametrize("name", ["uv", "tool"])
def test_the_account_of_uv_is_read_and_not_shown(tmp_path: Path, name: str) -> None:
    uv = uv_that_says(tmp_path, recorded("uv", "0.13.9", "nouser"))
    wrapper = uv if name == "uv" else stand_in(tmp_path, name, f"{uv} 2>&1")

    ended = run("--", wrapper, "--index-url", INDEX)

    assert ended.exit_code == 2
    assert "TRACE" not in ended.stdout + ended.stderr
    assert "could not be queried" in ended.stdout + ended.stderr
    assert "packages.example/simple/ is no feed of the broker's" in ended.stderr


def test_lines_of_a_uv_that_is_not_known_lead_to_no_claim(tmp_path: Path) -> None:
    account = recorded("uv", "0.13.9", "nouser")
    for word in (b"Handling", b"Request", b"Attempting", b"Skipping", b"No ", b"could not be queried"):
        account = account.replace(word, b"Novel ")

    ended = run("--json", "--", uv_that_says(tmp_path, account), "--index-url", INDEX)

    assert "Novel  keyring" not in ended.stderr
    [found] = json.loads(ended.stderr.splitlines()[-1])["findings"]
    assert (found["check"], found["level"], found["repair"]) == ("unknown-account", "warning", None)


def test_a_refusal_whose_account_is_not_known_is_told_as_it_was_seen(tmp_path: Path) -> None:
    account = recorded("uv", "0.13.9", "password").replace(b"contains complete", b"brings whole")

    ended = run("--json", "--", uv_that_says(tmp_path, account), "--index-url", INDEX)

    [found] = json.loads(ended.stderr.splitlines()[-1])["findings"]
    assert (found["check"], found["level"]) == ("seen", "warning")
    assert found["said"] == f"uv: {INDEX} answered 401; the broker saw no look-up"


def test_no_password_of_an_old_uv_is_shown(tmp_path: Path) -> None:
    ended = run("--", uv_that_says(tmp_path, recorded("uv", "0.5.31", "password")), "-i", INDEX)

    assert "stalepw" not in ended.stdout + ended.stderr


def test_a_command_that_is_killed_is_told_of_as_far_as_it_came(tmp_path: Path) -> None:
    account = recorded("uv", "0.13.9", "nouser").partition(b"Skipping keyring")[0]
    (tmp_path / "said").write_bytes(account)
    uv = stand_in(
        tmp_path,
        "uv",
        f'case $1 in --version) echo "uv 0.13.9"; exit;; esac\ncat {tmp_path}/said >&2; kill -9 $$',
    )

    ended = run("--", uv, "--index-url", INDEX)

    assert ended.exit_code == 128 + signal.SIGKILL
    assert "TRACE" not in ended.stderr
    assert "DEBUG" not in ended.stderr


def test_on_a_terminal_the_command_has_one_too_of_the_same_size(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    controller, terminal = pty.openpty()
    script = f"test -t 2 && test -t 1 && stty size <&2 >{seen}; printf 'no newline' >&2"

    done = subprocess.run(
        ["sh", "-c", f'stty rows 33 cols 77; exec {BROKERCTL} why -- sh -c "$1"', "sh", script],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        timeout=PATIENCE_S,
        check=False,
    )
    os.close(terminal)

    assert done.returncode == 0
    assert seen.read_text() == "33 77\n"
    assert b"no newline" in os.read(controller, 1 << 16)
    os.close(controller)


@pytest.mark.parametrize("screen", [{}, {"FORCE_COLOR": "1", "COLUMNS": "40"}], ids=["wide", "narrow"])
def test_an_index_that_uv_did_not_reach_is_told_whatever_the_screen(
    tmp_path: Path, screen: dict[str, str]
) -> None:
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a/path/that/is/wider/than/the/screen/simple/"
        uv = str(BROKERCTL.with_name("uv"))
        words = (uv, "pip", "install", "--target", str(tmp_path), "--index-url", url, "nothing")
        ended = run(*words, UV_HTTP_RETRIES="0", UV_NO_CONFIG="1", NO_PROXY="127.0.0.1", **screen)

        line = shlex.split(ended.stderr.splitlines()[-2])
        repeated = subprocess.run(line, capture_output=True, text=True, check=False)

    assert f"uv did not reach {url}: " in ended.stderr
    assert "Connection refused" in ended.stderr
    assert line == ["curl", "-sSI", url]
    assert (repeated.returncode, repeated.stdout) == (7, ""), "curl(1): failed to connect to host"


def test_an_index_that_a_pip_without_retries_did_not_reach_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"
        words = (sys.executable, "-m", "pip", "download", "--dest", str(tmp_path), "-i", url, "nothing")
        ended = run(*words, PIP_RETRIES="0", NO_PROXY="127.0.0.1")

    assert f"pip did not reach {url}: [Errno 111] Connection refused" in ended.stderr


def test_a_certificate_that_uv_does_not_trust_is_tried_by_whom_the_machine_trusts(tmp_path: Path) -> None:
    tls = shared_authority().server_context("127.0.0.1")
    trusts_itself = {"SSL_CERT_FILE", "SSL_CERT_DIR", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
    environ = {name: value for name, value in os.environ.items() if name not in trusts_itself}
    environ |= {"UV_HTTP_RETRIES": "0", "UV_NO_CONFIG": "1", "NO_PROXY": "127.0.0.1"}
    with WebServer(lambda _: Response(404), tls=tls) as server:
        url = f"{server.url}/simple/"
        uv = str(BROKERCTL.with_name("uv"))
        words = (uv, "pip", "install", "--target", str(tmp_path), "--index-url", url, "nothing")
        ended = subprocess.run(
            [BROKERCTL, "why", *words], capture_output=True, text=True, check=False, env=environ
        )
        line = ended.stderr.splitlines()[-2].strip()
        typed = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, env=environ)

    assert f"uv did not reach {url}: invalid peer certificate: UnknownIssuer" in ended.stderr
    assert line == f"UV_NATIVE_TLS=1 {shlex.join(words)}"
    assert "invalid peer certificate: UnknownIssuer" in typed.stderr, "the machine trusts no test's authority"


def test_a_child_that_goes_on_does_not_keep_us(tmp_path: Path) -> None:
    ended = run("sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid")

    assert ended.exit_code == 0
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_that_succeeds_is_no_failure_in_json_either() -> None:
    ended = run("--json", "true")

    (found,) = json.loads(ended.stderr)["findings"]
    assert (found["check"], found["level"], found["repair"]) == ("succeeded", "fine", None)
    assert found["said"].startswith("nothing failed; ")


def test_what_is_said_begins_a_line_of_its_own() -> None:
    ended = run("--json", "sh", "-c", "printf 'no end' >&2; exit 3")

    assert ended.stderr.startswith("no end\n{")
    assert json.loads(ended.stderr.splitlines()[-1])["exit_code"] == 3


def test_a_command_that_succeeds_without_an_index_that_refused_it_is_told_why(tmp_path: Path) -> None:
    """As `uv tree --outdated` does (astral-sh/uv#18120: uv tool upgrade), and `uv publish` with a check URL
    (astral-sh/uv#16073).
    """
    uv = uv_that_says(tmp_path, recorded("uv", "0.13.9", "nouser"), exit_code=0)

    ended = run("--", uv, "--index-url", INDEX)

    assert ended.exit_code == 0
    assert f" ✗ {INDEX} is no feed of the broker's" in ended.stderr
    assert f"brokerctl add {INDEX}" in ended.stderr
    assert "nothing failed" not in ended.stderr


def test_a_command_that_succeeds_after_its_first_refusal_is_summed_up(tmp_path: Path) -> None:
    uv = uv_that_says(tmp_path, recorded("uv", "0.13.9", "user"), exit_code=0)

    ended = run("--", uv, "--index-url", INDEX)

    said = "nothing failed; uv took passwords from the keyring; the broker saw no look-up"
    assert ended.stderr.splitlines()[-1] == f"token-broker: {said}"
