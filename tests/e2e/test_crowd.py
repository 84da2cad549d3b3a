"""Fifty clients at once, a thousand look-ups each: every one is answered. How fast: `python -m bench`."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, Household
from tests.e2e.wire import TEXT, Wire

CLIENTS = 50
LOOK_UPS = 1000


def look_up_again_and_again(wire: Wire, count: int) -> Counter[str]:
    return Counter(wire.look_up(PLAIN_FEED, accept=TEXT).text for _ in range(count))


@pytest.mark.long
def test_fifty_clients_get_a_thousand_answers_each(house: Household) -> None:
    house.configure(house.plain_feed())
    with house.brokerd() as broker, ThreadPoolExecutor(CLIENTS) as pool:
        counts = pool.map(look_up_again_and_again, repeat(broker.wire, CLIENTS), repeat(LOOK_UPS))
        answers = sum(counts, Counter[str]())

    assert answers == {f"ci\n{PLAIN_PASSWORD}\n": CLIENTS * LOOK_UPS}
