"""What `brokerctl add` asks, where it says that a secret goes, and what it leads to afterwards."""

from __future__ import annotations

import io
import shlex
import stat
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from broker.ctl.add.required_keys import required_keys
from tests.ctl.homes import write
from tests.ctl.terminal import typed
from tests.fakes.http1 import Request, Response
from tests.fakes.loopback import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

ARTIFACTORY = "https://artifactory.example.com/artifactory/api/pypi/internal/simple/"
NEXUS = "https://nexus.example.com/repository/internal/simple/"
GITLAB = "https://gitlab.com/api/v4/groups/7/-/packages/pypi/simple/"
OWN_GITLAB = "https://git.example.com/api/v4/groups/7/-/packages/pypi/simple/"
OWN = "https://packages.example.com/simple/"
FILE = "file:~/.config/token-broker/secrets/internal"

DRAWER = """
from keyring.backend import KeyringBackend

class Drawer(KeyringBackend):
    priority = 1
    def get_password(self, service, username): return None
    def set_password(self, service, username, password): return None
"""


@pytest.fixture
def file(room: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration will be, on a machine without a keychain."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("GITLAB_CI", raising=False)
    return room / ".config/token-broker/config.toml"


@pytest.fixture
def keychain(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same machine with a keychain."""
    write(tmp_path / "drawers/drawer.py", DRAWER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "drawers"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "drawer.Drawer")
    return file


class Terminal(io.StringIO):
    """A stream that says of itself that it is one."""

    def isatty(self) -> bool:
        return True


class Keyboard(io.RawIOBase):
    """A terminal from which these lines come, one at a time."""

    def __init__(self, *lines: bytes) -> None:
        self._lines = iter(lines)

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def readinto(self, into: memoryview, /) -> int:  # type: ignore[override]
        line = next(self._lines, b"")
        into[: len(line)] = line
        return len(line)


def person_types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> Terminal:
    """Let brokerctl read these answers; returns what it shows on stderr."""
    seen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))
    monkeypatch.setattr(sys, "stderr", seen)
    return seen


def feed_in(file: Path) -> dict[str, Any]:
    [feed] = tomllib.loads(file.read_text())["feed"]
    del feed["url"], feed["name"]
    return dict(feed)


@pytest.mark.parametrize(
    ("url", "provider"),
    [(ARTIFACTORY, "artifactory"), (NEXUS, "nexus"), (OWN_GITLAB, "gitlab"), (OWN, "basic"), (GITLAB, None)],
)
def test_address_says_which_provider_it_is(
    brokerctl: Brokerctl, file: Path, url: str, provider: str | None
) -> None:
    ended = brokerctl("add", url, "--secret", "netrc")

    assert ended.exit_code == 0, ended.stderr
    assert feed_in(file).get("provider") == provider


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((ARTIFACTORY,), f"--provider artifactory --username NAME --secret '{FILE}'"),
        ((NEXUS, "--secret", "env:X"), "--provider nexus --secret env:X --username NAME"),
        ((GITLAB,), "--secret 'file:~/.config/token-broker/secrets/gitlab'"),
        ((OWN, "--provider", "command"), "--provider command command=COMMAND"),
        (
            (OWN, "--provider", "oauth2", "--secret", "env:X"),
            "--provider oauth2 --secret env:X token_endpoint=TOKEN_ENDPOINT client_id=CLIENT_ID",
        ),
        (
            (GITLAB, "--name", "team", "--also", OWN, "verify=false"),
            f"--name team --also {OWN} verify=false --secret 'file:~/.config/token-broker/secrets/team'",
        ),
        ((GITLAB, "--config", "other.toml"), "/secrets/gitlab' --config other.toml"),
    ],
)
def test_without_a_terminal_the_whole_line_is_told(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...], said: str
) -> None:
    ended = brokerctl("add", *words)

    assert ended.exit_code == 1
    assert f"run: brokerctl add {words[0]}" in ended.stderr
    assert said in ended.stderr
    assert not file.exists()

    line = ended.stderr.rpartition("run: ")[2].replace("TOKEN_ENDPOINT", "https://login.example.com/token")
    typed = brokerctl(*shlex.split(line)[1:])
    assert typed.exit_code == 0, typed.stderr


def test_name_may_be_said_as_a_key(brokerctl: Brokerctl, file: Path) -> None:
    ended = brokerctl("add", OWN, "--secret", "netrc", "name=team")

    assert ended.stdout.startswith("added team to ")
    assert tomllib.loads(file.read_text())["feed"][0]["name"] == "team"


def test_an_index_that_answers_strangers_needs_no_feed(brokerctl: Brokerctl, file: Path) -> None:
    with WebServer(lambda _: Response(200)) as server:
        url = f"{server.url}/simple/"
        ended = brokerctl("add", url)

        assert ended.exit_code == 1
        assert f"{url} answers without a credential: it needs no feed (nothing was written)" in ended.stderr
        assert not file.exists()

        line = ended.stderr.rpartition("run: ")[2]
        assert brokerctl(*shlex.split(line)[1:]).exit_code == 0


@pytest.mark.parametrize("words", [("--secret", "env:X"), ("--username", "ci"), ("--provider", "basic")])
def test_who_says_that_there_is_a_login_is_believed(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...]
) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(200)

    with WebServer(answer) as server:
        ended = brokerctl("add", f"{server.url}/simple/", *words)

    assert asked == []
    assert "needs no feed" not in ended.stderr
    assert file.exists() == ("--secret" in words)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_an_index_that_does_not_answer_strangers_needs_a_secret(
    brokerctl: Brokerctl, file: Path, status: int
) -> None:
    with WebServer(lambda _: Response(status)) as server:
        ended = brokerctl("add", f"{server.url}/simple/")

    assert "is taken for basic, which needs a secret" in ended.stderr
    assert not file.exists()


@pytest.mark.parametrize(
    ("provider", "keys", "environ", "missing"),
    [
        ("azure", {}, {}, []),
        ("google", {}, {}, []),
        ("codeartifact", {}, {}, []),
        ("a-plug-in", {}, {}, []),
        ("gitlab", {}, {}, ["secret"]),
        ("gitlab", {}, {"GITLAB_CI": "true"}, []),
        ("gitlab", {"secret": "env:X"}, {}, []),
        ("artifactory", {}, {}, ["secret", "username"]),
        ("artifactory", {"oidc": "github"}, {}, []),
        ("artifactory", {"secret": "netrc"}, {}, []),
        ("nexus", {"secret": "command:pass x"}, {}, []),
        ("nexus", {"secret": "env:X"}, {}, ["username"]),
        ("basic", {"username": "ci"}, {}, ["secret"]),
        ("command", {"command": "x"}, {}, []),
    ],
)
def test_only_what_a_feed_must_have_is_missing(
    provider: str, keys: dict[str, str], environ: dict[str, str], missing: list[str]
) -> None:
    assert [need.key for need in required_keys(provider, keys, environ)] == missing


def test_on_a_terminal_it_asks_for_the_place_and_the_user_name(file: Path) -> None:
    code, seen = typed("add", ARTIFACTORY, answers=("", "ci"))

    assert code == 0, seen
    assert feed_in(file) == {"provider": "artifactory", "username": "ci", "secret": FILE}
    assert "This machine has no keychain that the broker reaches" in seen
    assert f"[{FILE}]" in seen


def test_a_secret_that_is_typed_for_its_place_is_asked_for_again(
    brokerctl: Brokerctl, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = person_types(monkeypatch, "glpat-typed-by-mistake", "env:GITLAB_TOKEN")

    assert brokerctl("add", GITLAB).exit_code == 0
    assert "a secret is never written in the configuration, only where it is" in seen.getvalue()
    assert feed_in(file) == {"secret": "env:GITLAB_TOKEN"}


@pytest.mark.parametrize(
    "case",
    [
        (
            (ARTIFACTORY,),
            ("env:X", "j\u00fcrgen", "ci"),
            "username: the username is not one line of printable ASCII",
            {"provider": "artifactory", "secret": "env:X", "username": "ci"},
        ),
        (
            (OWN, "--provider", "oauth2", "--secret", "env:X"),
            ("login", "app", "https://login.example.com/token"),
            "token_endpoint: this is a host, not a URL",
            {
                "provider": "oauth2",
                "secret": "env:X",
                "token_endpoint": "https://login.example.com/token",
                "client_id": "app",
            },
        ),
        (
            (OWN, "--provider", "command"),
            ("echo '", "echo hi"),
            "command: No closing quotation",
            {"provider": "command", "command": "echo hi"},
        ),
        (
            (NEXUS,),
            ("env:X", "", "  ", "ci"),
            "",
            {"provider": "nexus", "secret": "env:X", "username": "ci"},
        ),
    ],
)
def test_an_answer_that_the_provider_refuses_is_asked_for_again_and_no_other(
    brokerctl: Brokerctl,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[tuple[str, ...], tuple[str, ...], str, dict[str, str]],
) -> None:
    words, answers, said, found = case
    seen = person_types(monkeypatch, *answers)

    ended = brokerctl("add", *words)

    assert ended.exit_code == 0, seen.getvalue()
    assert said in seen.getvalue()
    assert "nothing was written" not in seen.getvalue()
    assert feed_in(file) == found


def test_a_value_that_nobody_was_asked_for_ends_the_questions(
    brokerctl: Brokerctl, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = person_types(monkeypatch, "env:X")

    assert brokerctl("add", ARTIFACTORY, "--username", "j\u00fcrgen").exit_code == 1
    assert "username: the username is not one line of printable ASCII" in seen.getvalue()
    assert "(nothing was written)" in seen.getvalue()
    assert not file.exists()


@pytest.mark.usefixtures("file")
def test_questions_leave_nothing_on_stdout(brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch) -> None:
    person_types(monkeypatch, "env:X", "ci")

    assert brokerctl("add", ARTIFACTORY).stdout.startswith("added internal ")


@pytest.mark.usefixtures("file")
def test_an_answer_that_is_not_utf_8_is_asked_for_again(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = person_types(monkeypatch)
    keys = io.BufferedReader(Keyboard(b"env:\xff\n", b"env:X\n"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(keys, "utf-8"))

    assert brokerctl("add", GITLAB).exit_code == 0
    assert "That is not UTF-8." in seen.getvalue()


@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.usefixtures("file")
def test_a_provider_that_was_typed_is_not_guessed(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    if is_asked:
        monkeypatch.setattr(sys, "stderr", person_types(monkeypatch, "echo hi"))

    ended = brokerctl("add", OWN, "--provider", "command")

    said = sys.stderr.getvalue() if isinstance(sys.stderr, Terminal) else ended.stderr
    assert "the provider command needs a command" in said
    assert "keychain" not in said


def test_a_place_that_brings_the_user_name_ends_the_questions(
    brokerctl: Brokerctl, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_types(monkeypatch, "netrc")

    assert brokerctl("add", NEXUS).exit_code == 0
    assert feed_in(file) == {"provider": "nexus", "secret": "netrc"}


def test_where_there_is_a_keychain_it_is_the_place(brokerctl: Brokerctl, keychain: Path) -> None:
    ended = brokerctl("add", ARTIFACTORY)

    assert "--secret keyring:artifactory.example.com" in ended.stderr
    assert not keychain.exists()


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("keyring:packages", "-P -m broker.providers.keyring_store set packages ci\n"),
        ("keyring:packages:me", "-P -m broker.providers.keyring_store set packages me\n"),
        (
            "file:~/a b/token",
            """sh -c 'umask 077; mkdir -p ~/'"'"'a b'"'"'; cat > ~/'"'"'a b/token'"'"''\n""",
        ),
        ("file:~/token", "sh -c 'umask 077; cat > ~/token'\n"),
        ("netrc", None),
        ("env:TOKEN", None),
    ],
)
@pytest.mark.usefixtures("file")
def test_it_says_how_the_secret_gets_to_its_place(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch, secret: str, told: str | None
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    ended = brokerctl("add", OWN, "--username", "ci", "--secret", secret)

    assert ("Put the secret there" in ended.stdout) == (told is not None)
    assert (told or "") in ended.stdout


@pytest.mark.usefixtures("file")
def test_a_file_that_is_there_needs_no_word(brokerctl: Brokerctl, room: Path) -> None:
    write(room / "token", "s3cret", 0o600)

    assert "Put the secret" not in brokerctl("add", OWN, "--secret", "file:~/token").stdout


@pytest.mark.parametrize(("url", "recommended"), [(ARTIFACTORY, True), (NEXUS, True), (OWN, False)])
@pytest.mark.usefixtures("file")
def test_always_is_recommended_where_strangers_are_answered(
    brokerctl: Brokerctl, url: str, *, recommended: bool
) -> None:
    ended = brokerctl("add", url, "--username", "ci", "--secret", "netrc")

    assert ('  authenticate = "always"\n' in ended.stdout) == recommended


def test_the_files_mode_and_comments_stay(brokerctl: Brokerctl, file: Path) -> None:
    write(file, "ttl = '40m'  # mine\n\n# the end\n", 0o640)

    brokerctl("add", ARTIFACTORY, "--secret", "netrc")

    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_text().startswith("ttl = '40m'  # mine\n\n# the end\n")


@pytest.mark.parametrize(
    ("netrc", "user"),
    [
        ("machine nexus.example.com login jane password s3cret\n", "jane"),
        (
            "machine other.example login x password y\nmachine nexus.example.com\n  login j@n\n  password z",
            "j%40n",
        ),
        ("machine other.example login jane password s3cret\n", "USERNAME"),
        (None, "USERNAME"),
    ],
)
def test_lines_for_a_secret_in_netrc_have_the_user_that_it_is_for(
    brokerctl: Brokerctl, room: Path, netrc: str | None, user: str
) -> None:
    if netrc is not None:
        (room / ".netrc").write_text(netrc)
        (room / ".netrc").chmod(0o600)

    ended = brokerctl("add", "https://nexus.example.com/repository/internal/simple/", "--secret", "netrc")

    assert ended.stdout.count(f"--index-url https://{user}@nexus.example.com/") == 2
    assert "s3cret" not in ended.stdout
