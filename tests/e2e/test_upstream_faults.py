"""Whatever goes wrong at a service, the token in hand is handed out without a wait, and the next one is
fetched as soon as the service is well again.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import TENANT, Household, feed
from tests.e2e.patience import until
from tests.fakes.connect_proxy import Conduct
from tests.fakes.faults import broken, drip, half_answer, html_garbage, reset, throttled
from tests.fakes.http1 import Response, json_response
from tests.fakes.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.wire import Wire
    from tests.fakes.faults import Faults
    from tests.fakes.http1 import Answer as HttpAnswer

ANSWERED: dict[str, HttpAnswer | None] = {
    "never answers": None,  # until the end of the fault
    "resets": reset(),
    "answers half": half_answer(),
    "is throttled": throttled(3600),
    "is broken": broken(),
    "shows a page": html_garbage(),
    "says nothing": Response(200),
    "answers without a token": json_response(200, {"token_type": "Bearer", "expires_in": 3600}),
}
"""What a service can say instead of an answer."""

ENDED = json_response(200, {"access_token": "ended", "token_type": "Bearer", "expires_in": -60})
ENDLESS = json_response(200, {"access_token": "endless", "token_type": "Bearer"})
DRIPPING = {"access_token": "dripped", "token_type": "Bearer", "expires_in": 3600}

ON_THE_WAY = {
    "is behind a proxy that refuses": Conduct.REFUSE,
    "is behind a proxy that wants a login": Conduct.DEMAND_LOGIN,
    "has another's certificate": Conduct.ANOTHERS_CERTIFICATE,
    "has an expired certificate": Conduct.EXPIRED_CERTIFICATE,
    "has a certificate that nobody trusts": Conduct.STRANGE_CERTIFICATE,
}
"""What can happen before a service is reached."""

LIMIT_S = 0.05
ROUNDS = 5


@dataclass
class Case:
    """A feed of its own, what goes wrong with its service, and what makes that well again."""

    name: str
    url: str
    begin: Callable[[], None]
    end: Callable[[], None]
    asked: Callable[[], int]
    """How often its service was asked so far."""


def endpoint_cases(house: Household, over: threading.Event) -> Iterator[tuple[Case, str]]:
    """A token endpoint for every fault, with the configuration of its feed."""
    answers = {**ANSWERED, "hands out what has ended": ENDED, "answers a byte a second": drip(over, DRIPPING)}
    secret = house.keep_secret("client", "s3cret")
    for number, fault in enumerate((*answers, *ON_THE_WAY)):
        host, endpoint = f"login-{number}.example", TokenEndpoint()
        endpoint.clients["packages"] = "s3cret"
        house.proxy.route(host, endpoint)
        begin, end = beginning(endpoint.faults, answers.get(fault), over), endpoint.faults.heal
        if fault in ON_THE_WAY:
            begin = conducting(house, host, ON_THE_WAY[fault])
            end = conducting(house, host, Conduct.LEAD)
        case = Case(f"e{number}", f"https://packages-{number}.example/", begin, end, contacts(house, host))
        settings = (
            f'provider = "oauth2"\ntoken_endpoint = "https://{host}/token"\nclient_id = "packages"\n'
            f'secret = "{secret}"\nverify = false'
        )
        yield case, feed(case.name, case.url, settings)


def organisation_cases(house: Household, over: threading.Event) -> Iterator[tuple[Case, str]]:
    """An organisation for everything that the service of its session tokens can say."""
    for number, answer in enumerate(ANSWERED.values()):
        name = f"o{number}"
        organisation = house.cloud.organisation(name, tenant=TENANT, feeds={"corp": []})
        faults = organisation.exchange_faults
        url = f"https://pkgs.dev.azure.com/{name}/_packaging/corp/pypi/simple/"
        case = Case(name, url, beginning(faults, answer, over), faults.heal, organisation.exchanges.__len__)
        yield case, feed(name, url, "verify = false")


def beginning(faults: Faults, answer: HttpAnswer | None, over: threading.Event) -> Callable[[], None]:
    return (lambda: faults.hold(over)) if answer is None else (lambda: faults.give(answer))


def conducting(house: Household, host: str, conduct: Conduct) -> Callable[[], None]:
    return lambda: house.proxy.conduct(host, conduct)


def contacts(house: Household, host: str) -> Callable[[], int]:
    return lambda: sum(contact.host == host for contact in house.proxy.contacts)


def refresh(wire: Wire, case: Case) -> int:
    return wire.post(f"/v1/feeds/{case.name}/refresh").status


def password(wire: Wire, case: Case) -> str:
    return wire.look_up(case.url).password


def test_held_tokens_are_handed_out_without_a_wait_whatever_goes_wrong(house: Household) -> None:
    over = threading.Event()
    made = [*endpoint_cases(house, over), *organisation_cases(house, over)]
    cases = [case for case, _ in made]
    house.configure("".join(text for _, text in made))
    with house.forked_brokerd() as broker, ThreadPoolExecutor(2 * len(cases)) as pool:
        wire = broker.wire
        held = dict(zip([case.name for case in cases], pool.map(password, repeat(wire), cases), strict=True))
        waited_before = wire.status()["lookups"]["wait"]
        asked_before = [case.asked() for case in cases]

        for case in cases:
            case.begin()
        refreshing = [pool.submit(refresh, wire, case) for case in cases]
        until(
            lambda: all(case.asked() > before for case, before in zip(cases, asked_before, strict=True)),
            "request at every service",
        )
        meanwhile = {case.name: password(wire, case) for case in cases for _ in range(3)}
        in_the_end = {case.name: refreshed.done() for case, refreshed in zip(cases, refreshing, strict=True)}
        counted = wire.status()["lookups"]

        for case in cases:
            case.end()
        over.set()
        told = {case.name: refreshed.result() for case, refreshed in zip(cases, refreshing, strict=True)}
        after = dict(zip(held, pool.map(refresh, repeat(wire), cases), strict=True))
        renewed = {case.name: password(wire, case) for case in cases}

    assert meanwhile == held
    assert (counted["wait"], counted["error"]) == (waited_before, 0)
    assert not in_the_end["e0"]  # the slow one was still being waited for
    assert {name for name, status in told.items() if status == 200} == {"e0", "e9", "o0"}  # slow, not wrong
    assert set(told.values()) <= {200, 502, 503}
    assert set(after.values()) == {200}
    assert not set(renewed.values()) & set(held.values())


def slowest_s(wire: Wire, cases: list[Case]) -> float:
    """The longest that any of many look-ups took."""
    longest = 0.0
    for _ in range(ROUNDS):
        for case in cases:
            begun = time.perf_counter()
            password(wire, case)
            longest = max(longest, time.perf_counter() - begun)
    return longest


@pytest.mark.long
def test_no_look_up_takes_longer_than_50_ms_or_five_times_what_it_does_without_trouble(
    house: Household,
) -> None:
    over = threading.Event()
    made = [*endpoint_cases(house, over), *organisation_cases(house, over)]
    cases = [case for case, _ in made]
    house.configure("".join(text for _, text in made))
    with house.brokerd() as broker, ThreadPoolExecutor(2 * len(cases)) as pool:
        list(pool.map(password, repeat(broker.wire), cases))
        quiet_s = slowest_s(broker.wire, cases)
        refreshing, troubled_s = [], 0.0
        for case in cases:  # one after the other: a daemon begins no more than five renewals a second
            case.begin()
            refreshing.append(pool.submit(refresh, broker.wire, case))
            troubled_s = max(troubled_s, slowest_s(broker.wire, cases))
        for case in cases:
            case.end()
        over.set()
        told = [refreshed.result() for refreshed in refreshing]

    assert set(told) <= {200, 502, 503}
    assert troubled_s <= max(LIMIT_S, 5 * quiet_s), (troubled_s, quiet_s)


def test_token_whose_end_is_not_told_is_handed_out_and_replaced_by_its_age(house: Household) -> None:
    endpoint = TokenEndpoint()
    endpoint.clients["packages"] = "s3cret"
    house.proxy.route("login.example", endpoint)
    house.configure(
        feed(
            "endless",
            "https://packages.example/",
            'provider = "oauth2"\ntoken_endpoint = "https://login.example/token"\nclient_id = "packages"\n'
            f'secret = "{house.keep_secret("client", "s3cret")}"\nverify = false',
        )
    )
    with house.forked_brokerd() as broker:
        held = broker.wire.look_up("https://packages.example/").password
        endpoint.faults.give(ENDLESS)
        assert broker.wire.post("/v1/feeds/endless/refresh").status == 200
        given = broker.wire.look_up("https://packages.example/").json
        shown = broker.wire.feed("endless")

    assert held != given["password"] == "endless"
    assert given["expires_at"] is None
    assert 0.9 * 3000 - 60 <= seconds(shown["obtained_at"], shown["refresh_at"]) <= 3000


def seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
