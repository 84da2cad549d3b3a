"""What `why` says of clients that write no account, by the look-ups alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.account import ClientAccount
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.other_clients import other_findings
from broker.ctl.why.recorded_run import Lookup, RecordedRun
from tests.ctl.test_doctor_logins import LIBRARY, client_environment

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

NEXUS = "https://nexus.example/repository/internal/simple/"


def told(clinic: Clinic, url: str) -> list[tuple[str, str | None]]:
    """What is said of a poetry that asked for this address in vain."""
    miss = Lookup("2026-11-28T07:09:32Z", 1 << 30, url, None, "miss", None)
    run = RecordedRun(1, ClientAccount(), "", [miss], {})
    options, user_dirs = options_of(["poetry", "lock"]), UserDirs(clinic.home, clinic.environ)
    found = other_findings(Evidence(options, run, user_dirs, clinic.project), [])
    return [(each.check, each.repair) for each in found]


def test_an_address_that_looks_like_a_feeds_and_is_none_can_be_added(clinic: Clinic) -> None:
    clinic.write("pyproject.toml", f'[[tool.poetry.source]]\nname = "internal"\nurl = "{NEXUS}"\n')

    assert told(clinic, f"{NEXUS}demo/") == [("no-feed", f"brokerctl add {NEXUS}")]


def test_of_an_address_that_may_be_public_nothing_is_claimed(clinic: Clinic) -> None:
    assert told(clinic, "https://packages.example/simple/demo/") == []


@pytest.mark.parametrize(
    ("words", "checks"),
    [
        ("poetry lock", ["backend"]),
        ("poetry run pytest", []),  # whose tests failed
        ("hatch publish -u ci", ["backend"]),
        ("hatch run test", []),
        ("hatch test", []),
    ],
)
def test_a_failure_of_the_program_that_a_client_runs_is_not_put_down_to_its_keyring(
    clinic: Clinic, words: str, checks: list[str]
) -> None:
    clinic.write("pyproject.toml", f'[[tool.poetry.source]]\nname = "internal"\nurl = "{NEXUS}"\n')
    clinic.configure(f'[[feed]]\nname = "nexus"\nurl = "{NEXUS}"\nprovider = "nexus"\nsecret = "netrc"\n')
    clinic.environ["PIP_INDEX_URL"] = NEXUS
    client_environment(clinic, "venv", words.split(maxsplit=1)[0], LIBRARY)
    user_dirs = UserDirs(clinic.home, clinic.environ)
    run = RecordedRun(1, ClientAccount())

    found = other_findings(Evidence(options_of(words.split()), run, user_dirs, clinic.project), [])

    assert [each.check for each in found] == checks
