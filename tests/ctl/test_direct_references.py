"""Addresses of a command line that are of no index: a file's own, and pages with links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.account import AccountAct, AccountStep, ClientAccount
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import by_index
from broker.ctl.why.index_reports import report_of
from broker.ctl.why.recorded_run import RecordedRun
from broker.ctl.why.uv_account import LAST_WORD

if TYPE_CHECKING:
    from broker.ctl.doctor.finding import Finding
    from tests.ctl.clinic import Clinic

FEED = "https://packages.example/simple/"
FILE = f"{FEED}-/files/demo-1.0-py3-none-any.whl"
NAMED = FILE.replace("//", "//ci@")
CONFIG = f'auto = false\n[[feed]]\nname = "plain"\nurl = "{FEED}"\nprovider = "basic"\nusername = "ci"\n'


def told(clinic: Clinic, words: tuple[str, ...], *steps: AccountStep, **versions: str) -> Finding:
    clinic.configure(CONFIG)
    account = ClientAccount(dict.fromkeys(steps), versions)
    providers = {"UV_KEYRING_PROVIDER": "subprocess", "PIP_KEYRING_PROVIDER": "subprocess"}
    user_dirs = UserDirs(clinic.home, clinic.environ | providers)
    evidence = Evidence(options_of(words), RecordedRun(1, account, status={}), user_dirs, clinic.project)
    [group] = by_index(evidence)
    return report_of(group, evidence).finding


def refused(client: str) -> tuple[AccountStep, ...]:
    is_uv = client == "uv"
    silent = AccountStep(client, AccountAct.SKIPPED, FILE)
    chosen = AccountStep(client, AccountAct.PROVIDER, detail="subprocess")
    return (
        AccountStep(client, AccountAct.REQUESTED, FILE),
        silent if is_uv else chosen,
        AccountStep(client, AccountAct.REFUSED, FILE, status=401, detail=LAST_WORD),
    )


@pytest.mark.parametrize(
    ("word", "repaired"),
    [(FILE, NAMED), (f"demo @ {FILE}", f"'demo @ {NAMED}'"), (f"demo@{FILE}", f"demo@{NAMED}")],
)
def test_address_of_a_file_is_given_the_feeds_user(clinic: Clinic, word: str, repaired: str) -> None:
    found = told(clinic, ("uv", "pip", "install", word), *refused("uv"))

    assert (found.check, found.repair) == ("no-username", f"uv pip install {repaired}")


def test_address_of_a_feed_that_nothing_here_names_is_not_said_to_be_none(clinic: Clinic) -> None:
    found = told(clinic, ("uv", "sync"), *refused("uv"))

    assert (found.check, found.level) == ("seen", "warning")
    assert found.said.startswith(f"uv: {FEED} answered 401")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("pip install", "pip install --upgrade pip"),
        ("/x/bin/pip3.11 --no-input install", "/x/bin/pip3.11 install --upgrade pip"),
        ("/x/bin/python -m pip install", "/x/bin/python -m pip install --upgrade pip"),
        ("tox run", "python -m pip install --upgrade pip"),
    ],
)
def test_old_pip_that_forgets_the_user_of_an_address_is_replaced(
    clinic: Clinic, words: str, line: str
) -> None:
    found = told(clinic, (*words.split(), FILE), *refused("pip"), pip="23.2.1")

    assert (found.check, found.repair) == ("old-pip", line)
