from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker.ctl.clients import foreign_files
from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.trusted_file import read
from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed
from tests.ctl.homes import write
from tests.fakes.http1 import Request, Response
from tests.fakes.loopback import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]
    Told = Callable[..., list[dict[str, Any]]]

GOLDEN = Path(__file__).parent / "golden"

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi"
ARTIFACTORY = "https://artifactory.example.com/artifactory/api/pypi/internal"
GITLAB = "https://git.example.com/api/v4/groups/7/-/packages/pypi/simple/"
HOSTED_GITLAB = "https://gitlab.com/api/v4/groups/7/-/packages/pypi/simple/"
PYPROJECT = f"""
[[tool.uv.index]]
name = "corp"
url = "{AZURE}/simple/"
publish-url = "{AZURE}/upload/"

[[tool.poetry.source]]
name = "internal"
url = "{ARTIFACTORY}/simple"

[[tool.pdm.source]]
name = "libs"
url = "{GITLAB}"
"""
PIP = f"""
[global]
index-url = https://me:s3cret@devpi.example.com/root/dev/+simple/
extra-index-url =
    {ARTIFACTORY}/simple/
    http://old.example.com/simple/
"""
CONFIG = f"""
[[feed]]
name = "internal"
url = "{ARTIFACTORY}/simple/"
provider = "artifactory"
secret = "netrc"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Where brokerctl is run."""
    return tmp_path


@pytest.fixture
def told(brokerctl: Brokerctl) -> Told:
    """The feeds that brokerctl tells of."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        ended = brokerctl("discover", "--json", *arguments)
        assert ended.exit_code == 0, ended.stderr
        feeds: list[dict[str, Any]] = json.loads(ended.stdout)["feeds"]
        return feeds

    return run


def furnish(room: Path, project: Path) -> None:
    write(project / "pyproject.toml", PYPROJECT)
    write(room / ".config/pip/pip.conf", PIP)
    write(room / ".config/token-broker/config.toml", CONFIG, 0o600)
    write(room / ".pypirc", f"[internal]\nrepository = {ARTIFACTORY}\nusername = ci\npassword = s3cret\n")


def test_name_of_a_file_makes_no_line_of_its_own_and_commands_no_terminal(
    brokerctl: Brokerctl, project: Path
) -> None:
    write(project / "requirements\n + evil\x1b[8m.txt", f"--index-url {ARTIFACTORY}/simple/\n")

    ended = brokerctl("discover", "--offline")

    assert r"./requirements\n + evil\x1b[8m.txt line 1" in ended.stdout
    assert all(map(str.isprintable, ended.stdout.splitlines()))


def test_screen_is_the_golden_one(brokerctl: Brokerctl, room: Path, project: Path) -> None:
    furnish(room, project)

    ended = brokerctl("discover", "--offline")

    assert ended.exit_code == 0
    assert ended.stdout == (GOLDEN / "discover.txt").read_text()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_password_is_ever_shown(
    brokerctl: Brokerctl, room: Path, project: Path, form: tuple[str, ...]
) -> None:
    furnish(room, project)
    write(project / "uv.toml", 'index-url = "https://me:s3/cret@x.example.com/simple/"')

    ended = brokerctl("discover", "--offline", *form)

    assert "devpi.example.com" in ended.stdout
    assert "cret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        ({"configured": True}, "configured"),
        ({"configured": False}, "automatic"),
        ({"configured": False, "usable": False}, "to-add"),
    ],
)
def test_what_a_running_broker_serves_is_known(
    told: Told, broker: StandInBroker, project: Path, said: dict[str, bool], standing: str
) -> None:
    realm = "gitlab:https://git.example.com"
    served = feed("libs", provider="gitlab", realm=realm, urls=[GITLAB], **said)
    broker.answers |= {"GET /v1/health": (200, {}), "GET /v1/status": (200, seen(served))}
    write(project / "uv.toml", f'index-url = "{GITLAB}"')

    [found] = told("--offline")

    assert found["standing"] == standing


@pytest.fixture
def no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without settings of its own for uv and pip."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CONFIG_FILE", "/nonexistent/uv.toml")


@pytest.mark.usefixtures("no_site")
def test_where_there_is_nothing_it_says_what_it_read(brokerctl: Brokerctl, project: Path) -> None:
    write(project / "pyproject.toml", "[project]\n")
    write(project / "requirements-dev.txt", "idna\n")

    ended = brokerctl("discover")

    headline, _, read, looked = ended.stdout.splitlines()
    assert ended.exit_code == 0
    assert headline == "No package index is named in what was read: clients use their own."
    assert read == "     read: ./pyproject.toml, ./requirements-dev.txt"
    assert {"uv.toml", "pip.conf", ".pypirc", "Pipfile"} <= set(looked.replace(",", "").split())


@pytest.mark.usefixtures("no_site")
def test_sentences_keep_within_a_narrow_terminal(
    brokerctl: Brokerctl, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "pyproject.toml", "[project]\n")
    monkeypatch.setattr("broker.ctl.discover.verb.cells", lambda: 40)

    read = brokerctl("discover").stdout.partition("\n\n")[2].splitlines()

    assert [line for line in read if len(line) > 40 or not line.startswith("     ")] == []
    assert "     looked for: uv.toml," in read


@pytest.mark.usefixtures("no_site")
def test_where_there_is_no_file_that_is_said(brokerctl: Brokerctl) -> None:
    assert "     read: no file\n" in brokerctl("discover").stdout


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://ghp_0123456789abcdefghij@x.example.com/simple/", "ghp_0123456789abcdefghij"),
        ("https://dl.cloudsmith.io/aB3dE6gH9jK2mN5p/acme/corp/python/simple/", "aB3dE6gH9jK2mN5p"),
        ("https://x.example.com/t/0123456789abcdef01234567/simple/", "0123456789abcdef01234567"),
        ("https://x.example.com/glpat-abcdefghijkl/simple/", "glpat-abcdefghijkl"),
    ],
)
def test_token_in_a_name_or_a_path_is_not_shown(
    brokerctl: Brokerctl, project: Path, url: str, token: str, form: tuple[str, ...]
) -> None:
    write(project / "uv.toml", f'index-url = "{url}"')

    ended = brokerctl("discover", "--offline", *form)

    assert "/simple/" in ended.stdout
    assert token not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "address", [f"{AZURE.replace('acme', '0f6c7e7e-2f8c-4d3e-9d0a-7b1f9a1c2d3e')}/simple/", ARTIFACTORY]
)
def test_guid_and_name_in_a_path_are_no_tokens(told: Told, project: Path, address: str) -> None:
    write(project / "uv.toml", f'index-url = "{address}"')

    [found] = told("--offline")

    assert found["url"].startswith(address)


def test_index_that_was_not_asked_is_not_proposed(told: Told, project: Path) -> None:
    write(project / "uv.toml", 'index-url = "https://mirror.example.com/simple/"')

    [found] = told("--offline")

    assert (found["standing"], found["add"]) == ("unsure", None)


def test_lines_to_type_add_each_feed(
    brokerctl: Brokerctl, told: Told, room: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line itself, or where no person can be asked the one with a place for the secret that it tells."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    furnish(room, project)
    (room / ".config/token-broker/config.toml").unlink()
    write(room / ".config/token-broker/config.toml", "auto = false\n", 0o600)

    lines = [each["add"] for each in told("--offline") if each["add"]]
    for line in lines:
        ended = brokerctl(*shlex.split(line)[1:])
        if ended.exit_code:
            whole = ended.stderr.strip().rpartition("run: ")[2].replace("NAME", "ci")
            ended = brokerctl(*shlex.split(whole)[1:])
        assert ended.exit_code == 0, (line, ended.stderr)

    assert len(lines) == 4
    assert [each["standing"] for each in told("--offline") if each["add"]] == []


def test_pages_and_upload_address_are_one_feed(told: Told, project: Path) -> None:
    write(project / "pyproject.toml", PYPROJECT)

    [azure] = [each for each in told("--offline") if each["provider"] == "azure"]

    assert (azure["standing"], len(azure["found"]), azure["add"]) == ("automatic", 2, None)


@pytest.mark.parametrize(
    ("config", "standing"),
    [
        ("", "automatic"),
        ("auto = false\n", "to-add"),
        ('auto = ["google"]\n', "to-add"),
        (f'[[feed]]\nurl = "{AZURE}/simple/"\n', "configured"),
        (f'[[feed]]\nurl = "{AZURE.replace("corp", "other")}/simple/"\n', "configured"),
        (
            'auto = false\n[[feed]]\nname = "x"\nurl = "https://x.example.com/"\nprovider = "basic"\n',
            "to-add",
        ),
    ],
)
def test_standing_is_what_the_configuration_makes_of_it(
    told: Told, room: Path, project: Path, config: str, standing: str
) -> None:
    write(project / "uv.toml", f'index-url = "{AZURE}/simple/"')
    write(room / ".config/token-broker/config.toml", config, 0o600)

    [found] = told("--offline")

    assert found["standing"] == standing
    assert (found["add"] is None) == (standing != "to-add")


@pytest.mark.parametrize(
    ("index", "command"),
    [
        (f'url = "{AZURE}/simple/"', None),
        (f'name = "libs"\nurl = "{GITLAB}"', f"brokerctl add {GITLAB} --name libs"),
        (f'url = "{ARTIFACTORY}/simple"', f"brokerctl add {ARTIFACTORY}/simple/"),
        (
            'url = "https://ci@nexus.example.com/repository/x/simple"',
            "brokerctl add https://nexus.example.com/repository/x/simple/ --username ci",
        ),
        (f'url = "{HOSTED_GITLAB}"', f"brokerctl add {HOSTED_GITLAB}"),
        (
            'url = "https://${USER}:${PASSWORD}@nexus.example.com/repository/x/simple"',
            "brokerctl add https://nexus.example.com/repository/x/simple/",
        ),
        (
            'name = "a b; rm"\nurl = "https://x.example.com/simple/"\nauthenticate = "always"',
            "brokerctl add https://x.example.com/simple/",
        ),
        (
            'url = "https://a\'b@x.example.com/simple/"',
            "brokerctl add https://x.example.com/simple/ --username 'a'\"'\"'b'",
        ),
    ],
)
def test_command_to_type_is_whole_and_safe(
    told: Told, project: Path, index: str, command: str | None
) -> None:
    write(project / "uv.toml", f"[[index]]\n{index}\n")

    [found] = told("--offline")

    assert found["add"] == command


@pytest.mark.parametrize(
    ("answer", "standing", "provider"),
    [
        (Response(200), "public", None),
        (Response(401), "to-add", None),
        (Response(403), "to-add", None),
        (
            Response(401, headers=(("WWW-Authenticate", 'Basic realm="Artifactory Realm"'),)),
            "to-add",
            "artifactory",
        ),
        (Response(404), "unsure", None),
        (Response(302, headers=(("Location", "/login"),)), "unsure", None),
    ],
)
def test_index_of_which_nobody_can_tell_is_asked_as_a_stranger(
    told: Told, project: Path, answer: Response, standing: str, provider: str | None
) -> None:
    seen: list[Request] = []

    def say(request: Request) -> Response:
        seen.append(request)
        return answer

    with WebServer(say) as server:
        write(project / "uv.toml", f'index-url = "{server.url}/simple"')
        [found] = told()

    assert (found["standing"], found["provider"]) == (standing, provider)
    assert [(request.path, request.header("authorization")) for request in seen] == [("/simple/", None)]


def test_only_those_of_which_nobody_can_tell_are_asked(told: Told, project: Path) -> None:
    seen: list[Request] = []

    def say(request: Request) -> Response:
        seen.append(request)
        return Response(401)

    with WebServer(say) as server:
        write(project / "uv.toml", f'index-url = "{server.url.replace("://", "://ci@")}"')
        told()

    assert seen == []


def test_public_ones_are_one_quiet_line(brokerctl: Brokerctl, project: Path) -> None:
    with WebServer(lambda _: Response(200)) as server:
        named = AZURE.replace("://", "://me@")
        write(project / "uv.toml", f'index-url = "{server.url}"\nextra-index-url = ["{named}/simple"]')
        ended = brokerctl("discover")

    assert ended.stdout.startswith("1 feed found, known to the broker\n")
    assert ended.stdout.endswith("\n\n1 public index, nothing to do: 127.0.0.1\n")


def test_another_folder_can_be_named(told: Told, project: Path) -> None:
    write(project / "sub/uv.toml", f'index-url = "{GITLAB}"')

    assert told("--offline") == []
    assert len(told("--offline", "sub")) == 1


def test_folder_that_is_none_is_exit_2(brokerctl: Brokerctl) -> None:
    assert brokerctl("discover", "absent").exit_code == 2


def test_broken_configuration_is_told(brokerctl: Brokerctl, room: Path) -> None:
    write(room / ".config/token-broker/config.toml", "ttl = \n", 0o600)

    ended = brokerctl("discover")

    assert ended.exit_code == 1
    assert "config.toml, line 1" in ended.stderr


BROKEN = {
    "uv.toml": ("\n[[index]\ns3cret\n", "it is not TOML at line 2"),
    "pyproject.toml": ('x = "s3cret', "it is not TOML to its end"),
    "~/.config/uv/uv.toml": ("# s3cret \udcff", "it is not text"),
    "~/.config/pip/pip.conf": ("index-url = s3cret\n", "it is not an INI file at line 1"),
    "~/.pip/pip.conf": ("[global]\n[global]\nx = s3cret", "it is not an INI file at line 2"),
    "~/.pypirc": ("[a]\ns3cret\n", "it is not an INI file at line 2"),
}


def test_what_was_looked_at_takes_one_reading_of_each_file(
    brokerctl: Brokerctl, room: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = room / ".config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nindex-url = https://packages.example.com/simple/\n")
    opened: list[Path] = []

    def counted(
        path: Path, limit: int, *, owners: Collection[int] | None = None, beginning: bool = False
    ) -> bytes:
        opened.append(path)
        return read(path, limit, owners=owners, beginning=beginning)

    monkeypatch.setattr(foreign_files, "read", counted)
    list(all_indexes(project, UserDirs.here()))
    for_indexes = opened.count(settings)
    opened.clear()

    brokerctl("discover", "--offline")

    assert opened.count(settings) == for_indexes + 1


def test_files_that_cannot_be_read_are_told_and_not_quoted(
    brokerctl: Brokerctl, room: Path, project: Path
) -> None:
    for name, (content, _) in BROKEN.items():
        path = room / name[2:] if name.startswith("~/") else project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(errors="surrogateescape"))

    shown, told = brokerctl("discover", "--offline"), brokerctl("discover", "--offline", "--json")

    for name, (_, why) in BROKEN.items():
        assert f" ! {name if name.startswith('~/') else f'./{name}'} is passed over: {why}\n" in shown.stdout
    assert [each["why"] for each in json.loads(told.stdout)["passed_over"]] == [
        why for _, why in BROKEN.values()
    ]
    assert "s3cret" not in shown.stdout + told.stdout
