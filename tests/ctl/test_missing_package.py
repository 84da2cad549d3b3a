"""What `why` says of an index that has no such package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.status.record import feed_status
from broker.ctl.why.account import AccountAct, AccountStep, ClientAccount, Source
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import by_index
from broker.ctl.why.index_reports import reports_of
from broker.ctl.why.recorded_run import Lookup, RecordedRun
from broker.ctl.why.uv_account import LAST_WORD
from tests.ctl.found_feeds import feed

if TYPE_CHECKING:
    from broker.ctl.doctor.finding import Finding
    from tests.ctl.clinic import Clinic

FIRST, SECOND = "https://one.example/simple/", "https://two.example/root/simple/"
PROJECT = "https://gitlab.com/api/v4/projects/7/packages/pypi/simple/"


def asked(
    client: str, url: str, page: str = "no-such/", status: int = 404, detail: str = ""
) -> tuple[AccountStep, ...]:
    """As uv 0.13 and pip 26 tell it: pip's first step names the index alone."""
    requested = url + page if client == "uv" else url
    return (
        AccountStep(client, AccountAct.REQUESTED, requested),
        AccountStep(client, AccountAct.REFUSED, url + page, status=status, detail=detail),
    )


def told(clinic: Clinic, client: str, *steps: AccountStep) -> list[Finding]:
    words = (
        client,
        "pip",
        "install",
        "--index-url",
        FIRST,
        "--extra-index-url",
        SECOND,
        "--extra-index-url",
        PROJECT,
    )
    account = ClientAccount(dict.fromkeys(steps))
    user_dirs = UserDirs(clinic.home, clinic.environ)
    options = options_of(words if client == "uv" else ("pip", *words[2:]))
    evidence = Evidence(options, RecordedRun(1, account, status={}), user_dirs, clinic.project)
    return [each.finding for each in reports_of(by_index(evidence), evidence)]


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_package_that_no_index_has_is_named_with_the_indexes_that_were_asked(
    clinic: Clinic, client: str
) -> None:
    found = told(clinic, client, *asked(client, FIRST), *asked(client, SECOND))

    line = f"check the name no-such; asked: {FIRST}, {SECOND}"
    assert [(each.check, each.repair) for each in found] == [("seen", line)] * 2
    assert f"{client}: {FIRST}, which is no feed of the broker's, answered 404 for no-such" in found[0].said


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_package_that_the_only_index_has_not_is_named(clinic: Clinic, client: str) -> None:
    found = told(clinic, client, *asked(client, FIRST))

    assert [each.repair for each in found] == ["check the name no-such; no other index was asked"]


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_package_that_an_index_of_no_setting_has_not_is_named(clinic: Clinic, client: str) -> None:
    found = told(clinic, client, *asked(client, "https://default.example/simple/"))

    assert [each.repair for each in found] == ["check the name no-such; no other index was asked"]


def test_an_index_that_is_not_there_itself_is_a_wrong_address(clinic: Clinic) -> None:
    found = told(clinic, "uv", *asked("uv", FIRST, page=""))

    assert [each.repair for each in found] == [f"check the address {FIRST}"]


def test_a_file_of_no_index_that_is_not_there_is_a_wrong_address(clinic: Clinic) -> None:
    found = told(clinic, "uv", *asked("uv", "https://files.example/", page="demo-1.0.tar.gz"))

    assert [each.repair for each in found] == ["check the address https://files.example/demo-1.0.tar.gz"]


@pytest.mark.parametrize(("url", "status"), [(FIRST, 401), (PROJECT, 404)])
def test_a_refusal_that_a_login_may_cure_is_not_about_the_name(clinic: Clinic, url: str, status: int) -> None:
    found = told(clinic, "pip", *asked("pip", url, status=status))

    assert not any((each.repair or "").startswith("check") for each in found)


def of_a_feed(clinic: Clinic, client: str, page: str, verdict: str, status: int = 404) -> Finding:
    """What is said of the feed FIRST, which answered its client with the status."""
    clinic.configure(f'[[feed]]\nname = "ci"\nurl = "{FIRST}"\nprovider = "basic"\nusername = "u"\n')
    given = AccountStep(client, AccountAct.FOUND, FIRST, source=Source.KEYRING)
    account = ClientAccount(dict.fromkeys((given, *asked(client, FIRST, page, status, LAST_WORD))))
    run = RecordedRun(1, account, lookups=[Lookup("", 1, FIRST, "ci", "hit", None)], status={})
    words = ("uv", "pip") if client == "uv" else ("pip",)
    options = options_of((*words, "install", "--index-url", FIRST, "no-such"))
    served = [feed_status(feed("ci", verdict=verdict))]
    user_dirs = UserDirs(clinic.home, clinic.environ)
    evidence = Evidence(options, run, user_dirs, clinic.project, served)
    [report] = reports_of(by_index(evidence), evidence)
    return report.finding


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_a_package_that_a_feed_lacks_which_takes_the_token_is_named(clinic: Clinic, client: str) -> None:
    found = of_a_feed(clinic, client, "no-such/", "accepted")

    said = f"{client}: ci, which takes the broker's token, answered 404 for no-such"
    assert (found.said, found.repair) == (said, "check the name no-such; no other index was asked")


@pytest.mark.parametrize(
    ("page", "verdict", "status"),
    [
        ("", "accepted", 404),
        ("no-such/", "unknown", 404),
        ("no-such/", "rejected", 404),
        ("no-such/", "accepted", 401),
    ],
)
def test_a_feed_that_may_refuse_the_token_is_not_about_the_name(
    clinic: Clinic, page: str, verdict: str, status: int
) -> None:
    found = of_a_feed(clinic, "uv", page, verdict, status)

    assert (found.check, found.repair) == ("refused", f"brokerctl explain {FIRST}")
