"""When `brokerctl why` names the gateway, decided from what was found. With real clients:
`tests/e2e/test_why_in_the_field.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.client_index import Index, Place
from broker.ctl.clients.command_line import options_of
from broker.ctl.doctor.finding import Finding, fine, problem
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.account import ClientAccount
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.gateway_cure import gateway_command
from broker.ctl.why.index_account import IndexAccount
from broker.ctl.why.index_reports import IndexReport
from broker.ctl.why.recorded_run import RecordedRun

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

FAR = "https://packages.example/simple/"
NEAR = "https://127.0.0.1:8443/simple/"
PLAIN = "http://localhost:8080/simple/"
CONFIG = "auto = false\n" + "".join(
    f'[[feed]]\nname = "f{number}"\nurl = "{url}"\nprovider = "basic"\nusername = "ci"\nsecret = "netrc"\n'
    for number, url in enumerate((FAR, NEAR, PLAIN))
)
NO_NAME = problem("no-username", "it has no user name", "export X=y")
SYNC = ("uv", "sync")
SYNC_BEHIND = "brokerctl exec --gateway -- uv sync"


def told(clinic: Clinic, *found: Finding, words: tuple[str, ...] = SYNC, url: str = FAR) -> str | None:
    """The command that is named where each of these was found of an index at the URL."""
    clinic.configure(CONFIG)
    user_dirs = UserDirs(clinic.home, clinic.environ)
    evidence = Evidence(options_of(words), RecordedRun(1, ClientAccount()), user_dirs, clinic.project)
    index = Index.at("uv", Place("UV_INDEX_URL"), url)
    reports = [IndexReport(IndexAccount("uv", url, index), None, each) for each in found]
    return gateway_command(reports, found, evidence)


@pytest.mark.parametrize(
    "check",
    ["lock", "never", "no-username", "old-pip", "poetry-username", "provider", "shim", "stranger", "backend"],
)
def test_what_keeps_a_client_from_asking_is_cured(clinic: Clinic, check: str) -> None:
    assert told(clinic, fine("seen", "another"), problem(check, "found", None)) == SYNC_BEHIND


@pytest.mark.parametrize(
    "check",
    [
        "own-password",
        "netrc",
        "other-keyring",
        "uv-store",
        "no-feed",
        "refused",
        "unanswered",
        "not-running",
        "shim-said",
        "x",
    ],
)
def test_what_else_is_found_is_not_and_neither_is_both_together(clinic: Clinic, check: str) -> None:
    other = problem(check, "found", None)

    assert [told(clinic, other), told(clinic, NO_NAME, other), told(clinic, fine("seen", "fine"))] == [
        None
    ] * 3


@pytest.mark.parametrize("url", [NEAR, PLAIN, "https://elsewhere.example/simple/", "packages.example"])
def test_addresses_that_the_gateway_does_not_serve_are_not_cured(clinic: Clinic, url: str) -> None:
    assert told(clinic, NO_NAME, url=url) is None


@pytest.mark.parametrize(
    "words",
    [
        ("uv", "publish", "dist/x.whl"),
        ("twine", "upload", "--repository-url", FAR, "x"),
        ("uv", "pip", "install", "--index-url", FAR.replace("://", "://me:s3cret@"), "x"),
    ],
)
def test_commands_that_upload_or_hold_a_password_are_not_repeated(
    clinic: Clinic, words: tuple[str, ...]
) -> None:
    assert told(clinic, NO_NAME, words=words) is None


def test_words_are_quoted_as_a_shell_needs_them(clinic: Clinic) -> None:
    line = told(clinic, NO_NAME, words=("uv", "pip", "install", "x>=1; python_version<'4'"))

    assert line == """brokerctl exec --gateway -- uv pip install 'x>=1; python_version<'"'"'4'"'"''"""
