"""What `why` says where a keyring answered that is not the broker's: another program, or pip's library.

Replayed: astral-sh/uv#11130 (an old session of another provider), astral-sh/uv#7003 and #16684 (the `keyring`
of a project's environment), pypa/pip#12750 (a keyring beside pip). With a real uv: `tests/e2e/why_cases.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.account import AccountAct, AccountStep, ClientAccount, Source
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import by_index
from broker.ctl.why.index_reports import report_of
from broker.ctl.why.recorded_run import Lookup, RecordedRun
from broker.ctl.why.uv_account import LAST_WORD
from tests.ctl.test_doctor_logins import LIBRARY, client_environment

if TYPE_CHECKING:
    from broker.ctl.api_client import Json
    from tests.ctl.clinic import Clinic

INDEX = "https://packages.example/simple/"
AS_CI = INDEX.replace("//", "//ci@")
CONFIG = f'auto = false\n[[feed]]\nname = "plain"\nurl = "{INDEX}"\nprovider = "basic"\nusername = "ci"\n'
ANSWERED = Lookup("2026-11-28T07:09:32Z", 1 << 30, INDEX, "plain", "hit", None)

ASKED = AccountStep("uv", AccountAct.ASKED, INDEX, username="ci")
FOUND = AccountStep("uv", AccountAct.FOUND, INDEX, source=Source.KEYRING)
REFUSED = AccountStep("uv", AccountAct.REFUSED, INDEX, status=401, detail=LAST_WORD)
RUNS: Json = {}
TOOK_ANOTHER = "uv took a password from another keyring, and the server answered 401 to it"


def told(
    clinic: Clinic,
    words: str,
    *steps: AccountStep,
    lookups: tuple[Lookup, ...] = (),
    status: Json | None = RUNS,
) -> tuple[str, str, str | None]:
    """Check, sentence and line of what is said of the one index."""
    clinic.configure(CONFIG)
    account = ClientAccount()
    account.add(steps)
    run = RecordedRun(1, account, lookups=list(lookups), status=status)
    user_dirs = UserDirs(clinic.home, clinic.environ)
    evidence = Evidence(options_of(words.split()), run, user_dirs, clinic.project)
    [found] = [report_of(each, evidence).finding for each in by_index(evidence)]
    return found.check, found.said, found.repair


def other_keyring(clinic: Clinic, folder: str) -> None:
    clinic.write(f"{folder}/keyring", "#!/bin/sh\n", 0o755)


def test_what_another_keyring_gave_is_not_said_to_be_the_brokers(clinic: Clinic) -> None:
    other_keyring(clinic, "other")
    clinic.environ["PATH"] = f"{clinic.project}/other:/usr/bin:/bin"
    words = f"uv pip install -i {AS_CI} x"

    assert told(clinic, words, ASKED, FOUND, REFUSED) == (
        "other-keyring",
        f"{TOOK_ANOTHER}: {clinic.project}/other/keyring is the first keyring on PATH, not the shim",
        "brokerctl setup",
    )
    assert told(clinic, words, ASKED, FOUND, REFUSED, lookups=(ANSWERED,))[0] == "refused"
    assert told(clinic, f"brokerctl exec -- {words}", ASKED, FOUND, REFUSED)[0] == "refused"


@pytest.mark.parametrize(
    ("steps", "check", "said"),
    [
        ((ASKED, FOUND, REFUSED), "other-keyring", TOOK_ANOTHER),
        ((ASKED, REFUSED), "shim", f"uv asked a keyring for {INDEX}, not the broker"),
    ],
)
def test_the_keyring_of_the_projects_environment_is_the_first_in_uv_run(
    clinic: Clinic, steps: tuple[AccountStep, ...], check: str, said: str
) -> None:
    python = client_environment(clinic, "venv", "keyring", LIBRARY)
    (clinic.project / ".venv").symlink_to(python.parent.parent)

    assert told(clinic, f"uv run uv pip install -i {AS_CI} x", *steps) == (
        check,
        f"{said}: .venv/bin/keyring is first on PATH in uv run, and its environment lacks our backend",
        "uv pip install --python .venv wheels/token_broker_client-*.whl",
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("pip install", "export PIP_KEYRING_PROVIDER=subprocess"),
        (
            "pip install --keyring-provider import",
            f"pip install --keyring-provider subprocess -i {AS_CI} x",
        ),
    ],
)
@pytest.mark.parametrize("found", [(), (FOUND,)])
def test_a_pip_that_asked_the_library_beside_it_is_told_so(
    clinic: Clinic, words: str, line: str, found: tuple[AccountStep, ...]
) -> None:
    chosen = AccountStep("uv", AccountAct.PROVIDER, detail="import")
    steps = [replace(each, client="pip") for each in (chosen, ASKED, *found, REFUSED)]

    check, said, repair = told(clinic, f"{words} -i {AS_CI} x", *steps)

    assert (check, repair) == ("provider", line)
    assert said.startswith(f"pip asked the keyring library of its own environment for {INDEX}")
    assert said.endswith("; the broker saw no look-up")
    assert told(clinic, f"{words} -i {AS_CI} x", *steps, status=None)[0] != "provider"
