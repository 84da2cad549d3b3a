"""Azure Artifacts through the real daemon: tenants, shared tokens, a hanging az, half-used tokens."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.providers.azure.azure_cli import AZ_LIMIT_S
from tests.e2e.household import AZURE_FEED, TENANT, USER, Household, feed
from tests.e2e.patience import until
from tests.e2e.traces import Search
from tests.fakes.az import still_alive
from tests.fakes.az_program import Conduct
from tests.fakes.tokens import read_claims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.organisation import Organisation

OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
LABS_FEED = AZURE_FEED.replace("/acme/", "/labs/")
BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
EXPLAINED = rf"""{re.escape(AZURE_FEED)}
  feed         corp \(\S+ line 1\),\s+longest\s+prefix,\s+5\s+segments
  realm        azure:acme
  challenge    401 in [0-9.]+ m?s · tenant {TENANT}(?: · |\s+)authority vssps.dev.azure.com/acme allowed ✓
  signed in    env: no token variable, token file or build secret · azure-cli: {USER} in [0-9.]+ m?s ✓
  exchange     session token, scope vso.packaging, ends [0-9:]+ UTC \([0-9]+ min\) ✓
  answer       VssSessionToken and [0-9,]+ characters, ends [0-9:]+ UTC, replaced at [0-9:]+ UTC ✓
  verified     the feed takes it ✓
"""
BOTH = feed("corp", AZURE_FEED) + feed("labs", LABS_FEED)
LOOK_UPS = 100

PROMPT_S = AZ_LIMIT_S / 2
"""A look-up that is answered from memory takes a few ms; one that waited for az would take twice this."""


@pytest.fixture
def labs(house: Household) -> Organisation:
    """An organisation in another tenant, to which the user is signed in, too."""
    house.az.sign_in(USER, [TENANT, OTHER_TENANT])
    return house.cloud.organisation("labs", tenant=OTHER_TENANT, feeds={"corp": []})


def test_two_organisations_in_two_tenants_are_served_at_once(house: Household, labs: Organisation) -> None:
    house.configure(BOTH)
    with house.forked_brokerd() as broker:
        passwords = [broker.wire.look_up(url).password for url in (AZURE_FEED, LABS_FEED)]
        tenants = {one["name"]: one["tenant"] for one in broker.wire.status()["feeds"]}

    assert [bool(house.acme.identify(one)) for one in passwords] == [True, False]
    assert [bool(labs.identify(one)) for one in passwords] == [False, True]
    assert tenants == {"corp": TENANT, "labs": OTHER_TENANT}


def test_feeds_of_one_organisation_share_one_token(house: Household) -> None:
    tools = AZURE_FEED.replace("/corp/", "/tools/")
    house.configure(feed("corp", AZURE_FEED) + feed("tools", tools))
    with house.forked_brokerd() as broker:
        passwords = {broker.wire.look_up(url).password for url in (AZURE_FEED, tools)}

    assert len(passwords) == 1
    assert (len(house.az.calls), len(house.acme.exchanges)) == (1, 1)


def served_while_az_hangs(house: Household) -> Iterator[float]:
    """The seconds that each look-up for `labs` took while az hangs for `corp`."""
    for _ in range(LOOK_UPS):
        begun = time.monotonic()
        assert house.keyring("get", LABS_FEED, "dev").exit_code == 0
        yield time.monotonic() - begun


@pytest.mark.usefixtures("labs")
def test_an_az_that_hangs_holds_up_no_other_organisation(house: Household) -> None:
    house.configure(feed("labs", LABS_FEED))
    with house.forked_brokerd() as broker:
        assert broker.wire.look_up(LABS_FEED).status == 200
        house.az.behave(Conduct(mode="hang-with-grandchildren"))
        house.configure(BOTH)
        assert broker.wire.post("/v1/reload").status == 200
        house.az.wait_for_grandchildren(1)

        took_s = list(served_while_az_hangs(house))

        assert broker.wire.feed("corp")["state"] == "empty"  # the fetch is still under way
    assert max(took_s) < PROMPT_S
    assert still_alive(house.az.grandchildren) == []


@pytest.mark.long
@pytest.mark.usefixtures("labs")
def test_an_az_that_hangs_is_killed_with_its_grandchildren_within_its_limit(house: Household) -> None:
    house.az.behave(Conduct(mode="hang-with-grandchildren"))
    house.configure(feed("corp", AZURE_FEED))
    begun = time.monotonic()
    with house.brokerd() as broker:
        [grandchild] = house.az.wait_for_grandchildren(1)
        until(lambda: broker.wire.feed("corp")["state"] == "failing", "end of az", AZ_LIMIT_S + 10)
        took_s = time.monotonic() - begun
        [call] = house.az.calls[:1]

        assert still_alive((grandchild, call.pid)) == []
        assert "az did not answer within 20 s" in broker.wire.feed("corp")["error"]
    assert AZ_LIMIT_S <= took_s < AZ_LIMIT_S + 5


def left_s(password: str, at: float | None = None) -> float:
    """The life that a token has left, or had left `at` a time; fails for one that has ended."""
    end = (read_claims(password) or {})["exp"]
    assert isinstance(end, int)
    left = end - (time.time() if at is None else at)
    assert left > 0
    return left


def test_a_token_that_az_hands_out_half_used_is_replaced_before_its_end(house: Household) -> None:
    house.az.behave(Conduct(lifetime_s=8, age_s=4))
    house.configure(feed("corp", AZURE_FEED, 'token = "entra"\nverify = false'))
    with house.forked_brokerd() as broker:
        first = broker.wire.look_up(AZURE_FEED).password
        assert left_s(first) <= 4

        def another() -> str | None:
            asked_at = time.time()
            password: str = broker.wire.look_up(AZURE_FEED).password
            left_s(password, asked_at)
            return password if password != first else None

        second = until(another, "new token") or ""

    assert read_claims(first) != read_claims(second)


@pytest.mark.long
def test_an_early_renewal_that_gets_the_same_token_does_not_spin(house: Household) -> None:
    house.az.behave(Conduct(mode="same", lifetime_s=5))
    house.configure(feed("corp", AZURE_FEED, 'token = "entra"\nverify = false'))
    with house.brokerd() as broker:
        password = broker.wire.look_up(AZURE_FEED).password
        for _ in range(3):
            assert broker.wire.post("/v1/feeds/corp/refresh").status == 200
        asked = len(house.az.calls)
        while broker.wire.feed("corp")["usable"]:
            assert broker.wire.look_up(AZURE_FEED).password == password
            if left_s(password) < 1:
                break
        early = len(house.az.calls)

    assert asked == 4
    # each time it waits for half of what is left, and for 30 s or the end of a shorter one at least
    assert early - asked <= 1


def explained(house: Household, url: str) -> tuple[int, str]:
    done = subprocess.run(
        [BROKERCTL, "explain", url], env=house.environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_look_up_is_explained_from_its_match_to_the_feeds_yes(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        until(lambda: broker.wire.feed("corp")["usable"], "token")  # a fetch under way is not told
        code, screen = explained(house, AZURE_FEED)

    assert (code, re.fullmatch(EXPLAINED, screen) is not None) == (0, True), screen
    assert not Search(house.tokens).is_in(screen.encode())


@pytest.mark.long
def test_a_look_up_that_needs_a_person_is_explained_with_the_line_to_type(house: Household) -> None:
    house.az.sign_out()
    with house.brokerd():
        code, screen = explained(house, AZURE_FEED)

    assert code == 4
    assert "  signed in    env: no token variable, token file or build secret · azure-cli: az is" in screen
    assert f"\n{'':15}workload-identity: AZURE_FEDERATED_TOKEN_FILE not set\n" in screen
    assert screen.endswith(f"  your turn    az is signed out ✗\n{'':15}az login --tenant {TENANT}\n")


@pytest.mark.long
def test_a_public_feed_is_passed_on_without_a_word(house: Household) -> None:
    house.acme.feed("corp").public = True
    house.configure(feed("corp", AZURE_FEED))
    with house.brokerd() as broker:
        answer = broker.wire.look_up(AZURE_FEED)
        outcome = house.keyring("get", AZURE_FEED, "dev")

    assert (answer.status, answer.json["type"]) == (404, "no-feed")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (1, "", "")
    assert house.az.calls == ()


def test_a_public_feed_does_not_keep_its_private_neighbour_from_a_token(house: Household) -> None:
    acme = house.cloud.organisation("acme", tenant=TENANT, feeds={"corp": [], "tools": []})
    acme.feed("corp").public = True
    tools = AZURE_FEED.replace("/corp/", "/tools/")
    house.configure(feed("corp", AZURE_FEED) + feed("tools", tools))
    with house.forked_brokerd() as broker:
        answers = [broker.wire.look_up(url).status for url in (AZURE_FEED, tools)]

    assert answers == [404, 200]
