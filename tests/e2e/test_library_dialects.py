"""What each client asks the keyring library for, in its order and to the end, asked of the real library,
which finds our backend by its entry point; and what pdm asks the command for without it. Measured with pip
26.3, twine 7.0.0, hatch 1.18.2, poetry 2.5.1 and pdm 2.29.3. Next: `test_publishing.py`, the real clients.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, AZURE_UPLOAD, Household, feed, household
from tests.fakes.clients import PATIENCE_S
from tests.fakes.organisation import WRITE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

PAIR, PASSWORD = "get_credential", "get_password"
HOST = "pkgs.dev.azure.com"
NAMED = AZURE_FEED.replace("//", "//dev@", 1)
BARE = AZURE_FEED.rstrip("/")
EMPTY = "__poetry_source_empty_username__"
NOBODY = "nobody"

DIALECTS: dict[str, list[tuple[str, str, str | None, str]]] = {
    "pip": [
        (PAIR, AZURE_FEED, None, "VssSessionToken reads"),
        (PAIR, HOST, None, "VssSessionToken reads"),
    ],
    "pip, username": [(PAIR, AZURE_FEED, "dev", "dev reads"), (PAIR, HOST, "dev", "dev reads")],
    "twine": [
        (PAIR, AZURE_UPLOAD, None, "VssSessionToken writes"),
        (PASSWORD, AZURE_UPLOAD, "VssSessionToken", "writes"),
    ],
    "hatch": [(PASSWORD, AZURE_UPLOAD, "dev", "writes")],
    "poetry, source": [
        (PASSWORD, "python-poetry-check", "python-poetry", NOBODY),
        (PASSWORD, "poetry-repository-corp", EMPTY, NOBODY),
        (PAIR, AZURE_FEED, None, "VssSessionToken reads"),
        (PAIR, BARE, None, "VssSessionToken reads"),
        (PAIR, HOST, None, "VssSessionToken reads"),
    ],
    "poetry, publish": [
        (PASSWORD, "poetry-repository-corp", "__token__", NOBODY),
        (PASSWORD, "poetry-repository-corp", "dev", NOBODY),
        (PAIR, AZURE_UPLOAD, "dev", "dev writes"),
    ],
    "pdm": [
        (PAIR, AZURE_FEED, None, "VssSessionToken reads"),
        (PASSWORD, AZURE_FEED, "__token__", "reads"),
        (PAIR, HOST, None, "VssSessionToken reads"),
        (PASSWORD, HOST, "__token__", "reads"),
        (PAIR, "pdm-pypi-corp", None, NOBODY),
        (PASSWORD, "pdm-pypi-corp", "__token__", NOBODY),
    ],
    "pdm, username": [(PAIR, NAMED, "dev", "dev reads"), (PASSWORD, NAMED, "dev", "reads")],
    "pdm, publish": [
        (PAIR, "pdm-repository-__unknown__", "dev", NOBODY),
        (PASSWORD, "pdm-repository-__unknown__", "dev", NOBODY),
        (PAIR, AZURE_UPLOAD, "dev", "dev writes"),
    ],
}
"""Function, service and username of each call, and whose credential comes back and what it may do."""

LIBRARY = """
import json, keyring, sys
for function, service, username in json.load(sys.stdin):
    found = getattr(keyring, function)(service, username)
    pair = found if found is None or isinstance(found, str) else (found.username, found.password)
    print(json.dumps(pair))
"""


COMMAND: dict[str, tuple[list[str], str]] = {
    "pair": (["--mode=creds", "get", AZURE_FEED, ""], "VssSessionToken reads"),
    "pair, username": (["--mode=creds", "get", NAMED, "dev"], "dev reads"),
    "password": (["--mode=password", "get", AZURE_FEED, "__token__"], "reads"),
    "publish": (["--mode=creds", "get", AZURE_UPLOAD, "dev"], "dev writes"),
    "source by name": (["--mode=creds", "get", "pdm-pypi-corp", ""], NOBODY),
    "repository by name": (["--mode=password", "get", "pdm-repository-corp", "__token__"], NOBODY),
}


@pytest.fixture(scope="module")
def house() -> Iterator[Household]:
    with household() as made:
        made.configure(feed("corp", AZURE_FEED))
        with made.forked_brokerd():
            yield made


@pytest.fixture(scope="module")
def answers(house: Household) -> dict[str, list[str]]:
    """What every dialect is answered, one after the other in one process."""
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY],
        input=json.dumps([call[:3] for calls in DIALECTS.values() for call in calls]),
        env=house.environment,
        cwd=house.home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = iter(done.stdout.splitlines())
    return {
        name: [described(house, json.loads(next(said))) for _ in calls] for name, calls in DIALECTS.items()
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_library_is_answered_by_url_and_host_and_by_nothing_else(
    answers: dict[str, list[str]], dialect: str
) -> None:
    assert answers[dialect] == [call[3] for call in DIALECTS[dialect]]


@pytest.mark.parametrize(("words", "answer"), COMMAND.values(), ids=COMMAND)
def test_command_is_answered_by_url_and_by_nothing_else(
    house: Household, words: list[str], answer: str
) -> None:
    done = house.keyring(*words)

    assert (done.exit_code == 0, done.stderr) == (answer != NOBODY, "")
    lines = done.stdout.splitlines()
    assert described(house, (lines if len(lines) == 2 else lines[0]) if lines else None) == answer


def described(house: Household, answer: str | list[str] | None) -> str:
    if answer is None:
        return NOBODY
    *username, password = [answer] if isinstance(answer, str) else answer
    identity = house.acme.identify(password)
    assert identity is not None, "a token that its organisation does not know"
    return " ".join([*username, "writes" if WRITE in identity.scopes else "reads"])
