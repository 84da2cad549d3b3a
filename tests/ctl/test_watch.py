"""`brokerctl status --watch`: what is drawn when the broker tells of changes, goes away, and comes back."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING

import pytest

from broker.ctl.status import watch
from broker.ctl.status.record import broker_status
from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed
from tests.ctl.stand_in import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import Answer, StandInBroker

    Brokerctl = Callable[..., Ended]

EVENT = b"event: feed\ndata: {}\n\n"
GONE: Answer = 500, b"gone"


def saying(left_s: int) -> Answer:
    return 200, seen(feed("corp", left_s=left_s))


class Script:
    """A broker that answers each question for its status with the next of `statuses`; then Ctrl-C is typed.

    `events` is what each listener is told at once; all but the last then see the stream end.
    """

    def __init__(self, broker: StandInBroker, statuses: list[Answer], events: list[bytes]) -> None:
        self._statuses = iter(statuses)
        self._events = iter(events)
        self._over = threading.Event()
        self._asked = threading.Semaphore(0)
        broker.answers["GET /v1/status"] = self._status
        broker.answers["GET /v1/events"] = lambda _: (200, self._told())

    def _status(self, _: dict[str, str]) -> Answer:
        self._asked.release()
        following = next(self._statuses, None)
        if following is None:
            _thread.interrupt_main()
            self._over.set()
            return GONE
        return following

    def _told(self) -> Iterator[bytes]:
        yield b": listening\n\n"
        self._asked.acquire()
        for told in self._events:
            if told == b"":
                return
            yield told
            self._asked.acquire()
        self._over.wait()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock ticks at once, and never lets the counts be read: what is read was told by an event."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(watch, "TICK_S", 0.01)
    monkeypatch.setattr(watch, "COUNTS_EVERY_S", float("inf"))


def test_change_that_the_broker_tells_of_is_drawn_and_ctrl_c_ends_well(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    Script(broker, [saying(2460), saying(600)], [EVENT, EVENT])

    ended = brokerctl("status", "--watch")

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.index("41 min left") < ended.stdout.index("10 min left")


def test_terminal_that_cannot_redraw_gets_each_change_once(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    Script(broker, [saying(2460), GONE, saying(600)], [b"", EVENT])

    ended = brokerctl("status", "--watch")

    words = ("41 min left", "waiting for it", "10 min left")
    assert [ended.stdout.count(said) for said in words] == [1, 1, 1]
    assert "\x1b" not in ended.stdout


def test_broker_that_goes_away_and_comes_back_is_told(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    Script(broker, [saying(2460), GONE, saying(600)], [b"", EVENT])

    ended = brokerctl("status", "--watch")

    assert ended.exit_code == 0
    assert "waiting for it" in ended.stdout
    assert "the broker went away at " in ended.stdout
    assert "(process 4242)" in ended.stdout
    assert "10 min left" in ended.stdout


def test_broker_that_has_no_place_for_a_listener_is_read_now_and_then(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "COUNTS_EVERY_S", 0.05)
    Script(broker, [saying(2460), saying(2460), saying(600)], [])
    broker.answers["GET /v1/events"] = problem(503, "unavailable", "too many listeners")

    ended = brokerctl("status", "--watch")

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "the broker has too many listeners" in ended.stdout
    assert "not running" not in ended.stdout
    assert "10 min left" in ended.stdout


def test_counts_are_read_anew_without_an_event(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "COUNTS_EVERY_S", 0.0)
    Script(broker, [saying(2460), (200, seen(feed("corp", lookups=813)))], [])

    ended = brokerctl("status", "--watch")

    assert "813" in ended.stdout


def test_between_two_readings_only_the_clock_moves() -> None:
    status = broker_status(seen(feed("corp", left_s=90), feed("internal", left_s=None, expires_at=None)))

    later = watch.aged(status, 59.9)
    too_late = watch.aged(status, 91.0)

    assert [each.left_s for each in later.feeds] == [31, None]
    assert later.uptime_s == status.uptime_s + 59
    assert [each.usable for each in too_late.feeds] == [False, True]
