from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import LOOK_ROUND
from broker.ctl.explain import screen
from tests.ctl.stand_in import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
EXPLAIN = "POST /v1/explain"


def step(name: str, text: str, good: bool | None = None) -> dict[str, object]:
    return {"step": name, "text": text, "good": good}


def lines(*steps: object) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in steps).encode()


WALK = (
    step("feed", "corp (config.toml line 4), longest of 2 prefixes that match"),
    step("realm", "azure:acme, shared with tools"),
    step("challenge", "401 in 84 ms · tenant 1111 · authority vssps.dev.azure.com allowed", good=True),
    step("signed in", "env: no variable set"),
    step("signed in", "azure-cli: dev@acme.example in 1.02 s", good=True),
    step("exchange", "session token, scope vso.packaging, ends 10:41 (56 min)", good=True),
    step("answer", "VssSessionToken and 1,132 characters, replaced at 10:31 UTC", good=True),
    step("verified", "the feed takes it", good=True),
)


def test_a_look_up_is_told_step_by_step_in_columns(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers[EXPLAIN] = 200, lines(*WALK)

    ended = brokerctl("explain", URL, "--username", "ci")

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == (
        f"{URL}\n"
        "  feed         corp (config.toml line 4), longest of 2 prefixes that match\n"
        "  realm        azure:acme, shared with tools\n"
        "  challenge    401 in 84 ms · tenant 1111 · authority vssps.dev.azure.com allowed ✓\n"
        "  signed in    env: no variable set · azure-cli: dev@acme.example in 1.02 s ✓\n"
        "  exchange     session token, scope vso.packaging, ends 10:41 (56 min) ✓\n"
        "  answer       VssSessionToken and 1,132 characters, replaced at 10:31 UTC ✓\n"
        "  verified     the feed takes it ✓\n"
    )
    assert broker.queries == [{"url": URL, "username": "ci"}]


@pytest.mark.parametrize(("last", "code"), [("your turn", 4), ("failed", 1)])
def test_a_look_up_that_fails_says_whose_turn_it_is(
    last: str, code: int, broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    hint = step("hint", "az login --tenant 1111")
    broker.answers[EXPLAIN] = 200, lines(WALK[0], step(last, "az is signed out", good=False), hint)

    ended = brokerctl("explain", URL)

    assert ended.exit_code == code
    assert ended.stdout.endswith(f"  {last:13}az is signed out ✗\n               az login --tenant 1111\n")


def test_what_does_not_fit_beside_another_gets_a_line_of_its_own() -> None:
    told = [step("signed in", "env: no variable set"), step("signed in", "azure-cli: no", good=False)]

    shown = [line for line, _ in screen(told, 40)]

    assert shown == [
        "  signed in    env: no variable set",
        "               azure-cli: no ✗",
    ]


def test_what_is_too_long_for_a_line_is_broken_where_it_lists_or_between_words() -> None:
    told = [step("challenge", "401 in 84 ms · tenant 1111-2222-3333", good=True), step("answer", "a " * 20)]

    shown = [line for line, _ in screen(told, 40)]

    assert shown == [
        "  challenge    401 in 84 ms",
        "               tenant 1111-2222-3333 ✓",
        "  answer       a a a a a a a a a a a a a",
        "               a a a a a a a",
    ]


def test_a_hint_is_never_broken() -> None:
    command = "az login --tenant " + "1" * 200

    assert [line for line, _ in screen([step("hint", command)], 40)] == [f"{'':15}{command}"]


def test_a_hint_to_look_round_does_not_lead_to_the_doctor_who_leads_back() -> None:
    assert [line.strip() for line, _ in screen([step("hint", LOOK_ROUND)], 80)] == [
        "brokerctl doctor --report"
    ]


def test_a_feeds_name_stands_for_its_address(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/status"] = 200, {"feeds": [{"name": "corp", "urls": [URL]}]}
    broker.answers[EXPLAIN] = 200, lines(*WALK)

    ended = brokerctl("explain", "corp")

    assert ended.stdout.startswith(f"{URL}\n  feed ")
    assert {"url": URL} in broker.queries


def test_a_password_in_the_address_is_not_printed(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers[EXPLAIN] = 200, lines(*WALK)

    ended = brokerctl("explain", URL.replace("https://", "https://me:s3cret@"))

    assert "s3cret" not in ended.stdout
    assert ended.stdout.startswith(f"{URL}\n")


def test_a_question_that_makes_no_sense_is_refused(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers[EXPLAIN] = problem(400, "bad-request", "the URL has dot segments")

    ended = brokerctl("explain", "https://x/../y")

    assert (ended.exit_code, ended.stderr) == (1, "token-broker: the URL has dot segments\n")


def test_explaining_needs_a_broker(brokerctl: Brokerctl) -> None:
    ended = brokerctl("explain", URL)

    assert (ended.exit_code, ended.stdout) == (3, "")
