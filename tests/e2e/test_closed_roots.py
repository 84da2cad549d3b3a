"""Feeds that say no at their own address and serve what lies below it: told apart by a line to write.

A Nexus whose content selectors name packages answers 403 at `simple/`; a proxy may keep the list of all
projects from tokens that may install them. No status tells such a feed from one that refuses the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PACKAGE, PLAIN_FEED, PLAIN_HOST, Household
from tests.e2e.patience import until
from tests.fakes.http1 import Response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.http1 import Answer, Request

LINE = "verify = false"


class ClosedRoot:
    """The index of the house with a root that answers nobody but with `status`."""

    def __init__(self, house: Household, status: int) -> None:
        self.root_visits = 0
        self._house = house
        self._status = status

    def __call__(self, request: Request) -> Answer:
        if request.path != "/simple/":
            return self._house.packages(request)
        self.root_visits += request.basic is not None
        return Response(self._status, headers=(("WWW-Authenticate", 'Basic realm="packages"'),))


def install(house: Household, target: Path) -> int:
    """The exit code of a real `uv pip install` from the feed."""
    index = PLAIN_FEED.replace("https://", "https://ci@")
    options = ("--no-cache", "--reinstall", "--target", target, "--index-url", index)
    return house.uv_pip("install", *options, PACKAGE.name).exit_code


@pytest.mark.parametrize("status", [401, pytest.param(403, marks=pytest.mark.long)])
def test_the_line_that_is_told_opens_a_feed_that_serves_below_its_closed_root(
    house: Household, tmp_path: Path, status: int
) -> None:
    service = ClosedRoot(house, status)
    house.proxy.route(PLAIN_HOST, service)
    house.configure(house.plain_feed())
    with house.forked_brokerd() as broker:
        broker.wire.look_up(PLAIN_FEED)
        until(lambda: broker.wire.feed("plain")["state"] == "refused", "refusal")
        told = house.keyring("get", PLAIN_FEED, "ci")
        tries = service.root_visits
        house.configure(house.plain_feed() + LINE)
        reloaded = broker.wire.post("/v1/reload")
        installed = [install(house, tmp_path / str(number)) for number in range(2)]
        feed = broker.wire.feed("plain")

    assert told.exit_code == 1
    assert f"({status})" in told.stderr
    assert f"add {LINE} to its [[feed]] if clients are served all the same" in told.stderr
    assert tries <= 2
    assert reloaded.status == 200
    assert installed == [0, 0]
    assert service.root_visits == tries
    assert (feed["usable"], feed["error"], feed["verdict"]) == (True, None, "unknown")
