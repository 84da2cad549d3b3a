"""The agent for launchd as far as can be told without one: its text, and what launchctl is told."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.service import launchctl
from broker.ctl.setup.launchd_agent import plist
from tests.ctl.homes import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.clinic import Clinic
    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

GOLDEN = Path(__file__).with_name("golden") / "io.github.token-broker.plist"
AGENT = "Library/LaunchAgents/io.github.token-broker.plist"

FAKE = """
echo "$*" >>{folder}/told
case $1 in
print) [ -e {folder}/"$(echo "$2" | tr / -)" ] ;;
bootstrap)
    echo "Bootstrap failed: 5: Input/output error" >&2
    [ ! -e {folder}/broken ] && touch "{folder}/$(echo "$2" | tr / -)-io.github.token-broker" ;;
bootout) rm "{folder}/$(echo "$2" | tr / -)" ;;
esac
"""


@pytest.fixture
def home(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on a machine whose launchd is a fake: what is loaded is a file beside it."""
    for name, value in clinic.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{clinic.environ['PATH']}:/usr/bin:/bin")
    clinic.program("launchctl", FAKE.format(folder=clinic.programs))
    return clinic.home


def told(clinic: Clinic) -> list[str]:
    return [
        line for line in (clinic.programs / "told").read_text().splitlines() if not line.startswith("print")
    ]


def test_agent_is_the_golden_one() -> None:
    text = plist(
        python=Path("/Users/me/apps/a & b/bin/python"),
        brokerd=Path("/Users/me/apps/a & b/bin/brokerd"),
        socket=Path("/Users/me/Library/Caches/token-broker/broker.sock"),
        variables={"XDG_CONFIG_HOME": "/Users/me/<settings>"},
    )

    assert text == GOLDEN.read_text()


def test_golden_agent_says_what_launchd_needs_to_hear() -> None:
    found = plistlib.loads(GOLDEN.read_bytes())

    assert found["Label"] == launchctl.LABEL
    assert found["ProgramArguments"][1] == "-I"
    assert found["Sockets"]["broker"]["SockPathMode"] == 0o600
    assert found["Umask"] == 0o077
    assert found["EnvironmentVariables"] == {"XDG_CONFIG_HOME": "/Users/me/<settings>"}
    assert not {"RunAtLoad", "KeepAlive"} & found.keys()


@pytest.mark.usefixtures("home")
def test_loading_the_agent_is_shown_before_and_only_where_it_is_to_be_done(brokerctl: Brokerctl) -> None:
    planned = brokerctl("setup", "--dry-run").stdout
    brokerctl("setup")
    again = brokerctl("setup", "--dry-run").stdout

    assert f" would load   ~/{AGENT}, whose socket is open now and after every login\n" in planned
    assert "would load" not in again


def test_set_up_loads_the_agent_in_the_users_own_domain(
    brokerctl: Brokerctl, clinic: Clinic, home: Path
) -> None:
    ended = brokerctl("setup")

    assert f"~/{AGENT}, loaded; starts with the first look-up" in ended.stdout
    assert [line.split()[0] for line in told(clinic)] == ["bootout", "bootstrap"]
    assert told(clinic)[-1].split()[1].startswith("user/")
    assert told(clinic)[-1].endswith(str(home / AGENT))


def test_agent_of_a_desktop_is_loaded_in_its_domain(brokerctl: Brokerctl, clinic: Clinic, home: Path) -> None:
    (clinic.programs / f"gui-{os.geteuid()}").touch()

    brokerctl("setup")

    assert told(clinic)[-1] == f"bootstrap gui/{os.geteuid()} {home / AGENT}"


def test_agent_that_is_loaded_is_left_alone(brokerctl: Brokerctl, clinic: Clinic, home: Path) -> None:
    brokerctl("setup")
    before = told(clinic)

    brokerctl("setup")

    assert told(clinic) == before
    assert (home / AGENT).exists()


def test_launchd_that_refuses_is_quoted(brokerctl: Brokerctl, clinic: Clinic, home: Path) -> None:
    (clinic.programs / "broken").touch()

    ended = brokerctl("setup")

    assert ended.exit_code == 1
    assert "Bootstrap failed: 5: Input/output error; run: launchctl print user/" in ended.stderr
    assert home.exists()


def test_teardown_unloads_it_and_leaves_the_home_as_it_was(
    brokerctl: Brokerctl, clinic: Clinic, home: Path
) -> None:
    before = tree(home)
    brokerctl("setup")

    brokerctl("teardown")

    assert told(clinic)[-1].startswith("bootout user/")
    assert tree(home) == before
