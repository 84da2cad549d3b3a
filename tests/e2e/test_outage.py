"""While the identity service is down the held token is served to its real end, and not a moment longer."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, Household, feed
from tests.e2e.patience import until
from tests.fakes.az import OFFLINE
from tests.fakes.az_program import Conduct
from tests.fakes.connect_proxy import Conduct as Way
from tests.fakes.feed_service import AUTHORITY_HOST, PACKAGE_HOST
from tests.fakes.tokens import read_claims
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_LIFE_S = 3.0

OUTAGES: dict[str, Callable[[Household], None]] = {
    "az has no network": lambda house: house.az.behave(Conduct("fail", complaint=OFFLINE)),
    "the way to the authority is closed": lambda house: house.proxy.conduct(AUTHORITY_HOST, Way.RESET),
    "nothing can be reached": lambda house: house.proxy.conduct(PACKAGE_HOST, Way.REFUSE),
}


ONE_LINE = re.compile(r"token-broker: corp: [^\n]+; run: [^\n]+\n")
"""What failed, for which feed, what to type."""


def end_of(token: str) -> float:
    end = (read_claims(token) or {})["exp"]
    assert isinstance(end, int)
    return end


@pytest.mark.parametrize("begin", sampled(OUTAGES, ["nothing can be reached"]))
def test_held_token_outlives_the_identity_service_to_its_own_end(
    house: Household, begin: Callable[[Household], None]
) -> None:
    house.acme.longest_lifetime_s = TOKEN_LIFE_S
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        held = house.keyring("get", AZURE_FEED, "dev").stdout.strip()
        begin(house)
        assert broker.wire.post("/v1/feeds/corp/refresh").status == 503

        answers = 0
        asked_at = time.time()
        while (outcome := house.keyring("get", AZURE_FEED, "dev")).exit_code == 0:
            assert outcome.stdout.strip() == held
            assert asked_at < end_of(held)
            answers += 1
            asked_at = time.time()

        assert answers > 0
        assert time.time() >= end_of(held)
        assert (outcome.exit_code, outcome.stdout) == (1, "")
        assert ONE_LINE.fullmatch(outcome.stderr)


def test_first_look_up_after_an_outage_is_answered(house: Household) -> None:
    house.az.behave(Conduct("fail", complaint=OFFLINE))
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        until(lambda: broker.wire.feed("corp")["state"] == "failing", "failed fetch")
        assert house.keyring("get", AZURE_FEED, "dev").exit_code == 1

        house.az.behave(Conduct())
        until(lambda: broker.wire.feed("corp")["usable"], "token after the outage")

        assert house.keyring("get", AZURE_FEED, "dev").exit_code == 0


def test_reason_is_told_before_the_shims_own_patience_ends(house: Household) -> None:
    house.proxy.conduct(PACKAGE_HOST, Way.HANG)
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd():
        outcome = house.keyring("get", AZURE_FEED, "dev", TOKEN_BROKER_TIMEOUT="2")

        assert (outcome.exit_code, outcome.stdout) == (1, "")
        assert ONE_LINE.fullmatch(outcome.stderr)
