"""A secret in the desktop's keychain, read by the real keyring library: missing, revoked, replaced."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.e2e.household import PLAIN_FEED, Household, feed
from tests.e2e.patience import until
from tests.fakes.secret_service import SecretService

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="libsecret is the keychain of Linux"),
]

PYTHON = Path(sys.executable).resolve()
UNWATCHED_S = 45.0
"""A keychain cannot be watched: a look-up asks it again 30 s after it had nothing."""

STORE = ("-P", "-m", "broker.providers.keyring_store")


@pytest.fixture
def keychain(house: Household) -> SecretService:
    """The keychain of the household's user, where a feed's password should be, read every second."""
    house.configure(
        'ttl = "1s"\n\n'
        + feed("plain", PLAIN_FEED, 'provider = "basic"\nusername = "ci"\nsecret = "keyring:packages"')
    )
    made = SecretService(house.folder / "keychain")
    house.environment["PYTHONPATH"] = str(made.folder)
    house.packages.passwords = {"first-password-of-ci", "second-password-of-ci"}
    return made


def test_entry_that_is_missing_is_told_with_the_command_that_makes_it(
    house: Household, keychain: SecretService
) -> None:
    with house.brokerd() as broker:
        missing = house.brokerctl("get", PLAIN_FEED)
        state = broker.wire.feed("plain")["state"]
        keychain.keep("packages", "ci", "first-password-of-ci")
        refreshed = house.brokerctl("refresh", "plain")
        asked = house.keyring("get", PLAIN_FEED, "ci")

    assert (missing.exit_code, missing.stdout, state) == (4, "", "sign-in-needed")
    _, _, command = missing.stderr.partition("has no password for packages and user ci; run: ")
    program, *words = shlex.split(command)
    assert (Path(program).resolve(), words) == (
        PYTHON,
        [*STORE, "set", "packages", "ci"],
    )
    assert refreshed.exit_code == 0, refreshed.text
    assert (asked.exit_code, asked.stdout) == (0, "first-password-of-ci\n")


def test_entry_that_is_replaced_while_it_works_is_picked_up_by_the_next_renewal(
    house: Household, keychain: SecretService
) -> None:
    keychain.keep("packages", "ci", "first-password-of-ci")
    with house.brokerd():
        before = house.keyring("get", PLAIN_FEED, "ci")
        keychain.keep("packages", "ci", "second-password-of-ci")

        until(lambda: house.keyring("get", PLAIN_FEED, "ci").stdout == "second-password-of-ci\n", "new entry")

    assert before.stdout == "first-password-of-ci\n"


@pytest.mark.long
def test_entry_that_is_made_is_picked_up_by_a_look_up_half_a_minute_later(
    house: Household, keychain: SecretService
) -> None:
    with house.brokerd():
        missing = house.keyring("get", PLAIN_FEED, "ci")
        keychain.keep("packages", "ci", "first-password-of-ci")

        until(
            lambda: house.keyring("get", PLAIN_FEED, "ci").stdout == "first-password-of-ci\n",
            "entry",
            UNWATCHED_S,
        )

    assert (missing.exit_code, missing.stdout) == (1, "")
