"""Lines to type that no other test types: brokerctl's own, `ls`, and those of other programs."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

import pytest

from broker.config.paths import ConfigPaths
from broker.core.secret_source import filling
from broker.ctl.add.config_file import ConfigFile
from broker.ctl.command_error import CommandError
from broker.ctl.setup.target_root import TargetRoot
from broker.ctl.user_files import content_of, trouble
from broker.host.trusted_file import UnreadableFile, read
from broker.providers.cloudsmith import KEY
from tests.ctl.found_feeds import broker as a_broker
from tests.ctl.found_feeds import feed
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"


class Own(NamedTuple):
    """A line of brokerctl's own as it is typed, what the broker is asked by it, and what is seen then."""

    typed: str
    asked: str | None
    seen: str


SHARE = {"name": "ci", "folder": "/f", "feeds": ["corp"], "ends_at": "2099-01-01T00:00:00Z", "asked": 0}
OWN = {
    "brokerctl --help": Own("brokerctl --help", None, "Usage"),
    "brokerctl doctor": Own("brokerctl doctor", "GET /v1/health", "keyring"),
    "brokerctl doctor --report": Own("brokerctl doctor --report", None, "token-broker"),
    "brokerctl explain {}": Own(f"brokerctl explain {AZURE}", "POST /v1/explain", "the feed is corp"),
    "brokerctl forget {}": Own("brokerctl forget corp", "POST /v1/feeds/corp/forget", "token dropped"),
    "brokerctl logs": Own("brokerctl logs", "GET /v1/logs", "the reason"),
    "brokerctl reload": Own("brokerctl reload", "POST /v1/reload", "configuration read: corp"),
    "brokerctl share --help": Own("brokerctl share --help", None, "Usage"),
    "brokerctl share --list": Own("brokerctl share --list", "GET /v1/shares", "nothing is shared"),
    "brokerctl status": Own("brokerctl status", "GET /v1/status", "corp"),
    "sudo brokerctl doctor": Own("brokerctl doctor", "GET /v1/health", "keyring"),
    "sudo brokerctl reload": Own("brokerctl reload", "POST /v1/reload", "configuration read: corp"),
    "sudo brokerctl {}": Own("brokerctl refresh corp", "POST /v1/feeds/corp/refresh", "new token"),
    "brokerctl add {}": Own(f"brokerctl add {AZURE}", None, "corp"),
    "brokerctl add URL": Own(f"brokerctl add {AZURE}", None, "corp"),
    "brokerctl add": Own(f"brokerctl add {AZURE}", None, "corp"),
    "brokerctl add URL --name NAME": Own(f"brokerctl add {AZURE} --name it", None, "it"),
}
"""By the template. Who runs `sudo` runs the same line as root."""


@pytest.mark.parametrize("line", OWN)
def test_a_line_of_brokerctls_own_does_what_it_says(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    corp = feed("corp", urls=[AZURE])
    broker.answers |= {
        "GET /v1/status": (200, a_broker(corp)),
        "GET /v1/logs": (200, {"lines": ["the reason"], "last": 1}),
        "GET /v1/shares": (200, {"shares": []}),
        "POST /v1/reload": (200, {"feeds": ["corp"]}),
        "POST /v1/feeds/corp/refresh": (200, corp),
        "POST /v1/feeds/corp/forget": (200, corp),
    }
    broker.answers["POST /v1/explain"] = 200, iter([b'{"step": "feed", "text": "the feed is corp"}\n'])
    own = OWN[line]

    ended = brokerctl(*shlex.split(own.typed)[1:])

    assert ended.exit_code in {0, 1}, ended.stderr  # 1: the doctor has found something
    assert own.seen in ended.stdout
    assert own.asked is None or own.asked in broker.asked


def odd_lines(folder: Path) -> Iterator[str | None]:
    """The hints of everything that cannot be read or written in a folder with a blank in its name."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "out").symlink_to("/")
    paths = ConfigPaths(folder / "folder", folder / "env")
    for fails in (
        lambda: read(folder / "pipe", 1),
        lambda: content_of(folder / "folder"),
        lambda: ConfigFile(paths).read(),
        lambda: ConfigFile(paths).write(None),
        lambda: TargetRoot(folder).at("/out/etc"),
    ):
        with pytest.raises((UnreadableFile, CommandError)) as raised:
            fails()
        assert isinstance(raised.value, UnreadableFile | CommandError)
        yield raised.value.hint
    yield trouble(folder / "folder", "written", PermissionError(13, "no")).hint


def test_a_line_that_shows_a_file_shows_it_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a folder; of $mine"
    folder.mkdir()

    shown = [type_line(hint) for hint in odd_lines(folder)]

    assert [each.stderr for each in shown] == [""] * 6


@pytest.mark.parametrize("path", ["~/pw", "~/kept/pw", "~/a b/p'w"])
def test_the_line_that_fills_a_file_keeps_it_for_its_owner(path: str, tmp_path: Path) -> None:
    typed = type_line(filling(path), {**os.environ, "HOME": str(tmp_path)}, stdin="s3cret")

    file = tmp_path / path[2:]
    assert (typed.returncode, file.read_text(), file.stat().st_mode & 0o777) == (0, "s3cret", 0o600)


GITLAB = "https://gitlab.com/api/v4/groups/acme/-/packages/pypi/simple/"
CLOUDSMITH = "https://dl.cloudsmith.io/basic/acme/tools/python/simple/"
ADDED = {
    "GitLab": (
        f"[[feed]]\nurl = '{GITLAB}'\n{{line}}\n",
        'secret = "file:~/.config/token-broker/secrets/gitlab"',
    ),
    "GitLab, the group's number": (
        f"[[feed]]\nurl = '{GITLAB}'\n{{line}}\n",
        'also = ["https://gitlab.com/api/v4/groups/1234567"]',
    ),
    "Cloudsmith": (
        f"[[feed]]\nurl = '{CLOUDSMITH}'\n{{line}}\n",
        'secret = "file:~/.config/token-broker/secrets/cloudsmith"',
    ),
    "Cloudsmith's variable": (f"[[feed]]\nurl = '{CLOUDSMITH}'\n{{line}}\n", f'secret = "env:{KEY}"'),
    "no keychain": (
        f"[[feed]]\nurl = '{GITLAB}'\n{{line}}\n",
        'secret = "file:~/.config/token-broker/NAME"',
    ),
}


@pytest.mark.parametrize("place", ADDED)
def test_a_line_for_the_configuration_makes_it_work(brokerctl: Brokerctl, room: Path, place: str) -> None:
    """What stands after the colon goes into the file as it is."""
    text, line = ADDED[place]
    file = room / ".config/token-broker/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text.format(line=line))

    ended = brokerctl("doctor", "--json")

    assert "configuration" not in [each["check"] for each in json.loads(ended.stdout)["findings"]], ended


FOREIGN = {
    "chroot {} env {}": (
        "chroot /image env UV_TOOL_DIR=/opt/token-broker uv tool install wheels/token_broker-1.whl",
        "an image; tests/test_install_page.py types the installation",
    ),
    "crontab -e, first line: {}": ("crontab -e", "it opens an editor: the line goes into the file"),
    "docker run --user UID, or podman run --userns=keep-id": (
        "docker run --user 1000; podman run --userns=keep-id",
        "two lines; tests/e2e/container.py is a container of the same user",
    ),
    "docker run --userns=host --user UID, or podman run --userns=keep-id": (
        "docker run --userns=host --user 1000; podman run --userns=keep-id",
        "two lines; tests/systemd/test_podman.py types the one for Podman",
    ),
    "docker run --user {} IMAGE": ("docker run --user 1000 IMAGE", "a container engine"),
    "docker run --user {}:{} {}": (
        "docker run --user 0:0 -v /f:/b:ro -e TOKEN_BROKER_SOCKET=/b/broker.sock IMAGE",
        "a container engine",
    ),
    "groupadd --system {}": ("groupadd --system token-broker", "it changes the machine's groups"),
    "id {}": ("id 1000", "the user database of the machine"),
    "jf config add {}": ("jf config add acme", "JFrog's own dialogue"),
    "jf config edit {}": ("jf config edit acme", "JFrog's own dialogue"),
    "launchctl print {}/{}": ("launchctl print gui/501/io.github.token-broker", "macOS"),
    "loginctl enable-linger": (
        "loginctl enable-linger",
        "tests/systemd/test_after_setup.py types it",
    ),
    "pip install 'botocore[crt]'": ("pip install 'botocore[crt]'", "it installs from the network"),
    "pip install keyring": ("pip install keyring", "it installs from the network"),
    "pip install uv": ("pip install uv", "it installs from the network"),
    "python -m pip install --upgrade pip": (
        "python -m pip install --upgrade pip",
        "it installs from the network; tests/e2e/test_old_pips.py types it for old pips",
    ),
    "python3 -I -m webbrowser {}": (
        "python3 -I -m webbrowser https://dev.azure.com/acme",
        "it opens a browser",
    ),
    "sudo timedatectl set-ntp true": ("sudo timedatectl set-ntp true", "it sets the machine's clock"),
    "sudo systemctl restart {}": (
        "sudo systemctl restart token-broker.socket",
        "a service manager; tests/systemd/test_system_broker.py types it for a real one",
    ),
    "sudo systemctl start token-broker.socket": (
        "sudo systemctl start token-broker.socket",
        "a service manager",
    ),
    "systemctl {}cat token-broker.socket": (
        "systemctl --user cat token-broker.socket",
        "it shows the unit with what was handed over",
    ),
    "systemctl --user {}": ("systemctl --user enable --now token-broker.socket", "a service manager"),
    "systemctl status {}": ("systemctl status token-broker.socket", "a service manager"),
    "uv auth logout {}{}": ("uv auth logout https://h.example/s --username me", "uv's own store"),
    "uv pip install --python {} {}": (
        "uv pip install --python .venv wheels/token_broker_client-*.whl",
        "it installs from the network",
    ),
    "uv tool install {} {}": (
        "uv tool install twine --with wheels/token_broker_client-*.whl",
        "it installs from the network",
    ),
    "pipx inject {} {}": (
        "pipx inject twine wheels/token_broker_client-*.whl",
        "it installs from the network",
    ),
    "wsl": ("wsl", "Windows"),
}
"""Lines that change the machine, need the network or a vendor's page: as typed, and why they run here against
a stand-in of the program. What is shown is that a shell hands the program these words.
"""


@pytest.mark.parametrize("line", FOREIGN)
def test_a_line_of_another_program_reaches_it_as_it_is_written(line: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    commands = [shlex.split(each) for each in FOREIGN[line][0].split("; ")]
    for program in {command[0] for command in commands}:
        stub = tmp_path / program
        stub.write_text(f'#!/bin/sh\nprintf "%s\\n" {program} "$@" >> {told}\n')
        stub.chmod(0o700)

    ended = type_line(FOREIGN[line][0], {"PATH": str(tmp_path)})

    assert (ended.returncode, ended.stderr) == (0, "")
    assert told.read_text().splitlines() == [word for command in commands for word in command]
