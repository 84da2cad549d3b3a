"""A daemon that an agent's session starts is not of that session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, feed

if TYPE_CHECKING:
    from tests.e2e.household import Household

pytestmark = pytest.mark.e2e

TELL = """command = ["sh", "-c", "echo ${COPILOT_AGENT_SESSION_ID:-nobody}${OTHER_AGENT_SESSION_ID:-s}"]"""


def test_programs_of_the_daemon_do_not_know_the_agent_that_started_it(house: Household) -> None:
    house.configure(feed("told", PLAIN_FEED, f'provider = "command"\nverify = false\n{TELL}'))
    house.environment |= {"COPILOT_AGENT_SESSION_ID": "a-session", "OTHER_AGENT_SESSION_ID": "another"}

    with house.brokerd() as broker:
        answer = broker.wire.look_up(PLAIN_FEED)

    assert answer.password == "nobodys"
