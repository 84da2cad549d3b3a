from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
import token_broker_client as client

from broker.ctl.command_error import CommandError
from broker.ctl.exec.index_lookups import index_variables
from broker.ctl.exec.private_broker import PrivateBroker, StartingBroker
from broker.ctl.exec.private_run import failed_lookups
from tests.ctl.conftest import Ended
from tests.e2e.patience import until
from tests.fakes.clients import UV
from tests.fakes.index import Layout, PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.processes import in_proc, kill
from tests.sampling import few
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.ctl.api_client import Json

BROKERCTL = Path(sys.executable).parent / "brokerctl"
PATIENCE_S = 60
TOKEN = "sesame-" + "0" * 20
OWN = "https://own.example.com/simple/"


def run(*words: str, cwd: Path | None = None) -> Ended:
    done = subprocess.run(
        [BROKERCTL, "exec", *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=cwd
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def configure(room: Path, text: str) -> None:
    file = room / ".config" / "token-broker" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)


class KnowsOneFeed(PrivateBroker):
    """A broker that is not started."""

    def read(self, path: str, query: Mapping[str, str | None] | None = None) -> Json:
        assert (path, query) == ("/v1/match", {"url": OWN})
        return {"feed": "own", "provider": "command", "configured": False}


def left_behind(room: Path) -> list[Path]:
    """What private brokers have left in the runtime directory."""
    return list(room.glob("token-broker*"))


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        pytest.param(("true",), 0, marks=pytest.mark.long),
        (("--", "sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -KILL $$"), 137),
    ],
)
def test_exit_code_is_the_commands_own(room: Path, words: tuple[str, ...], exit_code: int) -> None:
    assert run(*words) == Ended(exit_code, "", "")
    assert left_behind(room) == []


def test_options_of_the_command_are_the_commands() -> None:
    assert run("sh", "-c", 'echo "$@"', "sh", "--help", "--", "-x").stdout == "--help -- -x\n"


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        ((), 125, "exec needs a command"),
        (("no-such-command",), 127, "no-such-command: no such command"),
        (("./no-such-command",), 127, "no such command"),
        (("/etc/hosts",), 126, "cannot be run"),
        (("/",), 126, "cannot be run"),
    ],
)
def test_failures_of_our_own_have_codes_of_their_own(
    room: Path, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    ended = run(*words)

    assert ended.exit_code == exit_code
    assert said in ended.stderr
    assert left_behind(room) == []


@pytest.mark.parametrize("path", ["{folder}", ":{folder}", "links", "/usr/bin:links"])
def test_a_command_that_is_a_link_to_nothing_is_told_as_one(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "broken").symlink_to("/no/such/program")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path.replace("{folder}", str(tmp_path / "links")))

    ended = run("broken")

    assert ended.exit_code == 127
    assert ended.stderr.startswith("token-broker: broken cannot be run: ")
    assert ended.stderr.endswith("links/broken is a link to /no/such/program, which is missing\n")
    assert left_behind(room) == []


def test_a_command_of_a_relative_entry_of_path_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "own").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "bin" / "own").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin:/usr/bin:/bin")

    assert run("own").exit_code == 7


def test_a_command_whose_interpreter_is_missing_is_there_and_cannot_run(room: Path, tmp_path: Path) -> None:
    command = tmp_path / "command"
    command.write_text("#!/no/such/python\n")
    command.chmod(0o755)

    ended = run(str(command))

    assert ended.exit_code == 126
    assert ended.stderr == (
        f"token-broker: {command} cannot be run: its interpreter /no/such/python is missing\n"
    )
    assert left_behind(room) == []


ASKS = "import token_broker_client as c; c.request('GET', '/v1/health'); raise SystemExit({code})"


@pytest.mark.parametrize("code", few([4, 0], 1))
def test_broken_configuration_is_told_and_the_command_runs(room: Path, code: int) -> None:
    configure(room, "tll = 1\n")

    ended = run(sys.executable, "-c", ASKS.format(code=code))

    assert ended.exit_code == code
    assert ended.stderr.count("config.toml, line 1") == 1


def test_broken_configuration_is_told_once_with_nothing_to_type_to_a_broker_that_has_gone(room: Path) -> None:
    configure(room, "tll = 1\n")

    ended = run("sh", "-c", f"keyring get {OWN} __token__ 2>&-")

    said = ended.stderr.splitlines()
    assert [line.partition("config.toml, ")[2] for line in said[:-1]] == [
        "line 1: unknown key tll, did you mean ttl?"
    ]
    assert said[-1] == "token-broker: 1 look-up, 0 answered"


def test_a_configuration_that_a_variable_names_is_read_from_where_one_stands_and_must_be_there(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_CONFIG", "named.toml")
    url = "https://labs.example.com/"
    (room / "named.toml").write_text(
        f'[[feed]]\nurl = "{url}"\nprovider = "command"\ncommand = ["echo", "{TOKEN}"]\n'
    )

    there, elsewhere = (
        run("keyring", "get", url, "__token__", cwd=folder) for folder in (room, BROKERCTL.parent)
    )

    assert there == Ended(0, f"{TOKEN}\n", "")
    assert f"{BROKERCTL.parent}/named.toml does not exist" in elsewhere.stderr.splitlines()[0]


WAITS = """
import os, socket, struct
waits = socket.socket(socket.AF_UNIX)
waits.connect(os.environ["TOKEN_BROKER_SOCKET"])
bound_by, _, _ = struct.unpack("3i", waits.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
waits.sendall(b"GET /v1/health HTTP/1.1\\r\\nHost: broker\\r\\nConnection: close\\r\\n\\r\\n")
print(bound_by == os.getppid(), waits.recv(12).decode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_feed_that_nothing_can_sign_in_to_is_told_with_the_sign_ins_that_were_tried(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        room,
        '[[feed]]\nname = "corp"\nurl = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"\n'
        'auth = ["env", "azure-cli", "azd"]\ntenant = "11111111-2222-3333-4444-555555555555"\n',
    )
    monkeypatch.setenv("PATH", f"{BROKERCTL.parent}:/usr/bin:/bin")
    url = "https://VssSessionToken@pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"

    ended = run("keyring", "get", url, "VssSessionToken")

    assert (ended.exit_code, ended.stdout) == (1, "")
    for tried in ("env: no token variable", "azure-cli: az is not on the broker's PATH", "azd: "):
        assert tried in ended.stderr


def test_look_ups_wait_at_a_socket_that_is_there_before_the_broker() -> None:
    assert run(sys.executable, "-c", WAITS).stdout == "True HTTP/1.1 200\n"


def test_what_exec_leaves_to_end_by_itself_does(room: Path) -> None:
    ended = run("sh", "-c", 'test -S "$TOKEN_BROKER_SOCKET"')

    assert (ended.exit_code, ended.stderr) == (0, "")
    until(lambda: not processes_of(room), "end of the broker and its watcher")
    assert left_behind(room) == []


def processes_of(room: Path) -> dict[int, str]:
    """Command lines that name the room, by process: the broker's and the watcher's do."""
    mark = f"{room}/token-broker-".encode()
    return {pid: words.decode(errors="replace") for pid, words in in_proc("cmdline") if mark in words}


@pytest.mark.parametrize("after_s", few([0.0, 0.1, 0.3, 0.03, 0.06, 0.15, 0.2, 0.5], 3))
def test_killed_at_any_moment_of_its_start_it_leaves_nothing(room: Path, after_s: float) -> None:
    with subprocess.Popen(
        [BROKERCTL, "exec", "--", "sleep", "0.6"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(after_s)
        running.kill()

    until(lambda: not processes_of(room) and left_behind(room) == [], "end of all that was started")


def test_command_sees_a_private_broker(room: Path) -> None:
    environment = dict(line.partition("=")[::2] for line in run("env").stdout.splitlines())

    directory = Path(environment["TOKEN_BROKER_SOCKET"]).parent
    assert directory.parent == room
    assert environment["PATH"].startswith(f"{directory}/bin:")
    assert environment["TOKEN_BROKER_AUTOSTART"] == "0"
    assert environment["UV_KEYRING_PROVIDER"] == environment["PIP_KEYRING_PROVIDER"] == "subprocess"


def test_socket_is_in_a_directory_that_only_we_can_enter() -> None:
    ended = run("sh", "-c", 'ls -ld "$(dirname "$TOKEN_BROKER_SOCKET")"; ls -l "$TOKEN_BROKER_SOCKET"')

    assert [line[:10] for line in ended.stdout.splitlines()] == ["drwx------", "srw-------"]


def test_keyring_of_the_command_is_the_shim(room: Path) -> None:
    url = "https://packages.example.com/simple/"
    configure(
        room,
        f'[[feed]]\nurl = "{url}"\nprovider = "command"\ncommand = ["echo", "{TOKEN}"]\nverify = false\n',
    )

    assert run("keyring", "get", url, "x") == Ended(0, f"{TOKEN}\n", "")


def test_service_managers_socket_is_not_told_of_the_private_broker(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(room / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(room / "notify"))
        manager.settimeout(0)

        seen_by_the_command = run("sh", "-c", "echo $NOTIFY_SOCKET").stdout

        assert seen_by_the_command == f"{room}/notify\n"
        with pytest.raises(BlockingIOError):
            manager.recv(1000)


FAILING = 'name = "labs"\nurl = "https://labs.example.com/"\nprovider = "command"\ncommand = ["false"]\n'


def test_a_secret_that_the_shell_lacks_is_told_with_a_line_for_that_shell(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://labs.example.com/"
    configure(room, f'[[feed]]\nurl = "{url}"\nprovider = "basic"\nusername = "x"\nsecret = "env:LABS"\n')
    ask = f"keyring get {url} x"

    hint = run("sh", "-c", ask).stderr.splitlines()[0].partition("; run: ")[2]

    monkeypatch.setenv("PATH", f"{BROKERCTL.parent}:{os.environ['PATH']}")
    typed = type_line(hint, stdin=TOKEN, then=f"brokerctl exec {ask}")
    assert (typed.returncode, typed.stdout) == (0, f"{TOKEN}\n")


def test_lookup_that_failed_is_told_after_a_command_that_failed(room: Path) -> None:
    configure(room, f"[[feed]]\n{FAILING}")
    ask = "keyring get https://labs.example.com/ x 2>/dev/null"

    ended = run("sh", "-c", f"{ask}; {ask}; exit 2")

    said = f"token-broker: labs: false ended with exit code 1; run: {shutil.which('false')}\n"
    said += "token-broker: 2 look-ups, 0 answered\n"
    assert ended == Ended(2, "", said)


UNTIL_REFUSED = f"until {BROKERCTL} status --json | grep -q '\"refused\"'; do :; done"


def test_feed_that_refused_what_was_answered_is_told_though_it_was_tried_before_the_command_ended(
    room: Path,
) -> None:
    with WebServer(PackageIndex([], passwords=["another"])) as server:
        url = f"{server.url}/simple/"
        configure(
            room,
            f'[[feed]]\nname = "labs"\nurl = "{url}"\nprovider = "command"\ncommand = ["echo", "{TOKEN}"]\n',
        )

        ended = run("sh", "-c", f"keyring get {url} x >&2; {UNTIL_REFUSED}; exit 2")

    assert ended.exit_code == 2
    assert "token-broker: labs: the feed does not accept the credential" in ended.stderr
    assert "token-broker: 1 look-up, 1 answered" in ended.stderr


@pytest.mark.long
def test_lookup_that_failed_is_no_news_when_the_command_did_not(room: Path) -> None:
    configure(room, f"[[feed]]\n{FAILING}")

    ended = run("sh", "-c", "keyring get https://labs.example.com/ x 2>/dev/null; exit 0")

    assert ended == Ended(0, "", "")


def test_index_of_the_project_that_is_a_feed_gets_a_user_name(room: Path, tmp_path: Path) -> None:
    configure(
        room,
        '[[feed]]\nurl = "https://own.example.com/simple/"\nprovider = "command"\ncommand = ["echo", "x"]\n'
        'username = "ci"\nverify = false\n',
    )
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.uv.index]]\nname = "own"\nurl = "https://own.example.com/simple/"\n'
        '[[tool.uv.index]]\nname = "azure"\nurl = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"\n'
        '[[tool.uv.index]]\nname = "public"\nurl = "https://pypi.example.com/simple/"\n'
    )

    ended = run("sh", "-c", "env | grep ^UV_INDEX_ | sort", cwd=tmp_path)

    assert ended.stdout == "UV_INDEX_AZURE_USERNAME=VssSessionToken\nUV_INDEX_OWN_USERNAME=ci\n"


def test_index_of_a_feed_whose_name_netrc_has_gets_that_name(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine own.example.com login jane password sesame\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    configure(
        room,
        '[[feed]]\nurl = "https://own.example.com/simple/"\nprovider = "basic"\n'
        'secret = "netrc"\nverify = false\n',
    )
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.uv.index]]\nname = "own"\nurl = "https://own.example.com/simple/"\n'
    )

    ended = run(
        "sh", "-c", 'keyring get https://own.example.com/simple/ "$UV_INDEX_OWN_USERNAME"', cwd=tmp_path
    )

    assert ended == Ended(0, "sesame\n", "")


def test_a_command_that_fails_before_its_broker_answers_is_not_held_up_by_it(room: Path) -> None:
    try:
        assert run("sh", "-c", 'pkill -STOP -f "$TOKEN_BROKER_SOCKET"; exit 3') == Ended(3, "", "")
        assert processes_of(room), "nothing was stopped"
    finally:
        kill(processes_of(room))


class HangsUpBeforeItEnds(PrivateBroker):
    """A broker that says why it ends after it was asked for the last time."""

    def ending(self) -> subprocess.Popen[bytes]:
        said = "echo brokerd: ended reason=signal SIGTERM"
        return subprocess.Popen(["sh", "-c", f"read -r _ <{self.socket}; {said} >{self.log}"])

    def read(self, path: str, query: Mapping[str, str | None] | None = None) -> Json:
        Path(self.socket).write_text(f"{path} {query}\n")
        raise CommandError("the broker's answer was cut short")


def test_why_a_broker_ended_that_hung_up_is_waited_for(tmp_path: Path) -> None:
    broker = HangsUpBeforeItEnds(tmp_path)
    os.mkfifo(broker.socket)
    with broker.ending() as child, socket.socket() as ready:
        told = failed_lookups(broker, StartingBroker(child, ready))

    assert told == ["the private broker does not answer: ended reason=signal SIGTERM"]


def test_broker_that_ended_early_is_told_after_a_command_that_failed() -> None:
    imports = "import os, signal, token_broker_client as c, json"
    end = 'os.kill(json.loads(c.request("GET", "/v1/status").body)["pid"], signal.SIGTERM)'
    wait = "list(events)"
    program = f'{imports}\nevents = c.stream("GET", "/v1/events")\n{end}\n{wait}\nraise SystemExit(3)'

    ended = run(sys.executable, "-c", program)

    assert ended.exit_code == 3
    assert ended.stderr.startswith("token-broker: the private broker does not answer: ")
    assert "SIGTERM" in ended.stderr


def test_long_runtime_directory_is_not_used(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = room / ("x" * 90)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))

    ended = run("sh", "-c", 'echo "$TOKEN_BROKER_SOCKET"')

    assert ended.stdout.startswith("/tmp/token-broker-")


def test_runtime_directory_in_which_others_can_rename_is_not_used(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would put a folder of theirs in the place of ours, whose `keyring` is first on PATH."""
    folder = room / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))

    ended = run("sh", "-c", 'echo "$TOKEN_BROKER_SOCKET"')

    assert ended.stdout.startswith("/tmp/token-broker-")


@pytest.fixture
def holding() -> Iterator[subprocess.Popen[str]]:
    """`brokerctl exec` of a command that prints its socket and then waits for the end of its stdin."""
    program = 'trap "exit 42" TERM; echo "$TOKEN_BROKER_SOCKET"; read -r _; exit 5'
    with subprocess.Popen(
        [BROKERCTL, "exec", "--", "sh", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        yield running
        if running.poll() is None:
            running.kill()


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def wait_for_end(socket: str) -> None:
    """Return when nobody serves at `socket` any more and its directory is gone."""
    until(lambda: not Path(socket).parent.exists(), "end of the private broker's directory")


def test_signal_is_the_commands_to_answer(holding: subprocess.Popen[str]) -> None:
    line_of(holding.stdout)

    holding.send_signal(signal.SIGTERM)

    assert holding.wait(PATIENCE_S) == 42


@pytest.mark.long
def test_interrupt_that_no_terminal_sent_reaches_the_command(holding: subprocess.Popen[str]) -> None:
    line_of(holding.stdout)

    holding.send_signal(signal.SIGINT)

    assert holding.wait(PATIENCE_S) == 130


AT_THE_TERMINAL = """
import os, signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
signal.sigwait([signal.SIGINT])
print("once" if signal.sigtimedwait([signal.SIGINT], 1) is None else "twice", flush=True)
socket.socket(socket.AF_UNIX).connect(os.environ["TOKEN_BROKER_SOCKET"])
print("and the broker serves")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no sigtimedwait(2)")
def test_interrupt_of_the_terminal_reaches_the_command_once() -> None:
    command = [str(BROKERCTL), "exec", "--", sys.executable, "-c", AT_THE_TERMINAL]
    terminal = [sys.executable, "-c", f"import pty; pty.spawn({command!r})"]
    with subprocess.Popen(terminal, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        line_of(running.stdout)

        said, _ = running.communicate("\x03", timeout=PATIENCE_S)

    assert said.splitlines() == ["^Conce", "and the broker serves"]  # the terminal echoes the key


def test_private_broker_ends_with_the_command(holding: subprocess.Popen[str], room: Path) -> None:
    line_of(holding.stdout)
    events = client.stream("GET", "/v1/events", path=str(next(room.glob("token-broker-*/broker.sock"))))

    holding.communicate("\n")

    with events:
        assert not any(line.startswith(b"event:") for line in events)
    assert holding.returncode == 5
    assert left_behind(room) == []


def test_private_broker_ends_even_when_we_are_killed_outright(
    holding: subprocess.Popen[str], room: Path
) -> None:
    socket = line_of(holding.stdout)
    events = client.stream("GET", "/v1/events", path=socket)

    holding.kill()

    with events:
        list(events)  # ends with the broker
    wait_for_end(socket)
    os.killpg(holding.pid, signal.SIGKILL)  # the command itself, which nobody told to end
    assert left_behind(room) == []


@pytest.mark.e2e
@pytest.mark.long
def test_uv_syncs_a_frozen_project_whose_files_lie_elsewhere(room: Path, tmp_path: Path) -> None:
    index = PackageIndex([wheel("gem")], passwords=[TOKEN], layout=Layout.ELSEWHERE)
    with WebServer(index) as server:
        configure(
            room,
            f'[[feed]]\nurl = "{server.url}/simple/"\nalso = ["{server.url}/"]\nprovider = "command"\n'
            f'command = ["echo", "{TOKEN}"]\n',
        )
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["gem"]\n'
            f'[[tool.uv.index]]\nname = "corp"\nurl = "{server.url}/simple/"\ndefault = true\n'
        )
        options = ["--no-cache", "--python", sys.executable]

        locked = run(str(UV), "lock", *options, cwd=tmp_path)
        synced = run(str(UV), "sync", "--frozen", *options, cwd=tmp_path)

    assert (locked.exit_code, synced.exit_code) == (0, 0), locked.stderr + synced.stderr
    assert list(tmp_path.glob(".venv/lib/*/site-packages/gem.py"))


def test_a_command_that_fails_without_a_look_up_though_an_index_is_a_feed_is_told_how_to_see_why(
    room: Path, tmp_path: Path
) -> None:
    configure(room, f"[[feed]]\n{FAILING}")
    index = 'name = "labs"\nurl = "https://labs.example.com/simple/"'
    (tmp_path / "pyproject.toml").write_text(f"[[tool.uv.index]]\n{index}\n")

    ended = run("sh", "-c", "exit 7", cwd=tmp_path)

    assert ended.stderr == (
        f"token-broker: no look-up, though {tmp_path}/pyproject.toml line 3 names a feed; "
        "run: brokerctl why -- sh -c 'exit 7'\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        "uv lock --project sub",  # astral-sh/uv-pre-commit#15: the hook of a project in a subfolder
        "uv --directory=sub sync",
        "uv pip compile sub/pyproject.toml",  # astral-sh/uv#15362
        "uv pip install -r sub/pyproject.toml",
        "uvx --from ./sub tool",  # astral-sh/uv#9775
        "uv tool install --with-editable=./sub[extra] tool",
        "uv run sub/tool.py",
        "uv sync --config-file sub/uv.toml",
    ],
)
def test_indexes_of_the_files_that_the_words_name_get_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    (tmp_path / "sub").mkdir()
    for name, head in (("pyproject.toml", "tool.uv."), ("uv.toml", "")):
        (tmp_path / "sub" / name).write_text(f'[[{head}index]]\nname = "own"\nurl = "{OWN}"\n')
    script = f'# /// script\n# [[tool.uv.index]]\n# name = "own"\n# url = "{OWN}"\n# ///\n'
    (tmp_path / "sub" / "tool.py").write_text(script)
    monkeypatch.chdir(tmp_path)

    variables = index_variables(KnowsOneFeed(tmp_path), {"HOME": str(tmp_path)}, words.split())

    assert variables == {"UV_INDEX_OWN_USERNAME": "__token__"}


def test_a_folders_name_makes_no_line_of_its_own_and_commands_no_terminal(room: Path, tmp_path: Path) -> None:
    configure(room, f"[[feed]]\n{FAILING}")
    index = 'name = "labs"\nurl = "https://labs.example.com/simple/"'
    folder = tmp_path / "app\ntoken-broker: run: evil\x1b[8m"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"[[tool.uv.index]]\n{index}\n")

    ended = run("sh", "-c", "exit 7", cwd=folder)

    shown = rf"{tmp_path}/app\ntoken-broker: run: evil\x1b[8m/pyproject.toml line 3"
    assert ended.stderr.startswith(f"token-broker: no look-up, though {shown} names a feed; ")


@pytest.mark.long
def test_members_scripts_and_named_options_get_user_names(room: Path, tmp_path: Path) -> None:
    configure(room, f"[[feed]]\n{FAILING}")
    url = "https://labs.example.com/simple/"
    (tmp_path / "member").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["mem*"]\n')
    member = f'[[tool.uv.index]]\nname = "member"\nurl = "{url}"\n'
    (tmp_path / "member" / "pyproject.toml").write_text(member)
    script = tmp_path / "tool.py"
    script.write_text(f'# /// script\n# [[tool.uv.index]]\n# name = "script"\n# url = "{url}"\n# ///\n')

    ended = run("sh", "-c", "env | sort", "sh", "--index", f"option={url}", cwd=tmp_path)

    named = [line.partition("=")[0] for line in ended.stdout.splitlines() if line.startswith("UV_INDEX_")]
    assert named == [f"UV_INDEX_{name}_USERNAME" for name in ("MEMBER", "OPTION", "SCRIPT")]


def test_a_tool_that_cleans_the_environment_finds_the_broker_by_path(room: Path) -> None:
    url = "https://sesame.example.com/simple/"
    configure(
        room,
        f'[[feed]]\nurl = "{url}"\nprovider = "command"\ncommand = ["echo", "{TOKEN}"]\nverify = false\n',
    )
    cleaned = f"exec env -i PATH=\"$PATH\" HOME={room} sh -c '$(command -v keyring) get {url} x'"

    assert run("sh", "-c", cleaned) == Ended(0, f"{TOKEN}\n", "")
