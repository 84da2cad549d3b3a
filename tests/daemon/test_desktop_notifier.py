"""Which changes of a feed's state the desktop hears of."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.failures import NoSource, SignInNeeded, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.urls import parse_url
from broker.daemon.desktop_notifier import DesktopNotifier
from broker.host.clock import NAP_S
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
TOOLS = replace(CORP, name="tools", prefixes=(parse_url("https://feed.example/tools/simple/"),))
EXPIRED = SignInNeeded("the sign-in has expired", hint="brokerctl login corp")

PROGRAM = f"""#!{sys.executable} -I
import sys
with open({{heard!r}}, "a") as heard:
    heard.write(sys.argv[-2] + " | " + sys.argv[-1].replace("\\n", " | ") + "\\n")
"""


class Desktop:
    """A notify-send in `folder` that keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        self._heard = folder / "heard"
        program = folder / "notify-send"
        program.write_text(PROGRAM.format(heard=str(self._heard)))
        program.chmod(0o755)
        self.environ = {"PATH": str(folder), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}

    def heard(self) -> list[str]:
        return self._heard.read_text().splitlines() if self._heard.exists() else []


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
async def keeper(clock: FakeClock, issuer: Issuer) -> AsyncIterator[Keeper]:
    made = Keeper(
        clock=clock,
        table=FeedTable([CORP, TOOLS], recognise, lambda _: None),
        providers={"fake": issuer},
        policies=RenewalPolicies(),
        verify_at=Gatekeeper(),
        draw=lambda: 0.0,
    )
    yield made
    made.close()
    await settle()


async def told(desktop_notifier: DesktopNotifier) -> None:
    """Returns when everything that the herald had to say is said."""
    await settle()
    await asyncio.gather(*desktop_notifier._showing)


async def test_feeds_that_share_a_sign_in_are_told_of_once(
    keeper: Keeper, issuer: Issuer, clock: FakeClock, desktop: Desktop
) -> None:
    issuer.failure = EXPIRED
    desktop_notifier = DesktopNotifier(keeper, desktop.environ)
    running = asyncio.create_task(keeper.loop.run())
    await told(desktop_notifier)
    issuer.mark = "somebody tried"
    await clock.advance(10 * NAP_S)
    await told(desktop_notifier)
    running.cancel()

    assert len(issuer.asked) > 1
    assert desktop.heard() == ["corp: sign-in needed | the sign-in has expired | brokerctl login corp"]


async def test_each_new_need_is_told_anew(keeper: Keeper, issuer: Issuer, desktop: Desktop) -> None:
    desktop_notifier = DesktopNotifier(keeper, desktop.environ)
    for failure in (EXPIRED, None, EXPIRED):
        issuer.failure = failure
        with suppress(SignInNeeded):
            await keeper.refresh(Match(CORP, CORP.key(), "test"))
    await told(desktop_notifier)

    assert len(desktop.heard()) == 2


async def test_what_passes_by_itself_is_told_to_nobody(
    keeper: Keeper, issuer: Issuer, desktop: Desktop
) -> None:
    issuer.failure = Unavailable("down")
    desktop_notifier = DesktopNotifier(keeper, desktop.environ)
    with pytest.raises(Unavailable):
        await keeper.refresh(Match(CORP, CORP.key(), "test"))
    await told(desktop_notifier)

    assert desktop.heard() == []


async def test_a_learned_feed_that_nothing_can_sign_in_to_is_nobodys_business(
    keeper: Keeper, issuer: Issuer, desktop: Desktop
) -> None:
    learned = replace(CORP, name="learned", realm=Realm("fake", "learned"), configured=False)
    desktop_notifier = DesktopNotifier(keeper, desktop.environ)
    issuer.failure = NoSource("az is not installed")
    with pytest.raises(NoSource):
        await keeper.refresh(Match(learned, learned.key(), "test"))
    await told(desktop_notifier)

    assert desktop.heard() == []
