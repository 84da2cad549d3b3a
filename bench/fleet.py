"""The calls that a fleet's brokers make at the identity service in a simulated day, and the naive way's.

Run it with the project's environment: `python bench/fleet.py [BROKERS]`. Each broker's look-ups, renewals,
jitter and back-off are decided by the real `broker/core/refresh.py`; simulated are time, people and the
service. A call is one fetch of a token. What people do is assumed, and is an option each.
"""

from __future__ import annotations

import argparse
import heapq
import random
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from broker.core.credential import Credential, Secret
from broker.core.failures import NotObtained, Unavailable
from broker.core.feeds import Realm, SlotKey
from broker.core.moment import Moment
from broker.core.refresh import (
    SPREAD_SHARE,
    Join,
    RefreshNow,
    RefreshPolicy,
    Serve,
    Slot,
    WaitUntil,
    after_failure,
    after_success,
    next_step,
    on_lookup,
)

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 24 * HOUR_S
MIDNIGHT = Moment(datetime(2026, 1, 5, tzinfo=UTC), 1000.0)
"""The beginning of a Monday."""

KEY = SlotKey(Realm("azure", "acme"), "default", "read", "session")
TOKEN = Secret("made-up")


@dataclass(frozen=True)
class Habits:
    """What people and machines do that day; times are seconds since midnight, shares are of all brokers.

    A workstation's broker starts with its first look-up, within `arrive_s` after `begin_s`; its user works
    with it `runs` times until `end_s`, when it sleeps. Build agents (the share `agents`) are always on, and
    each `job_s` all of them start a job within `jobs_within_s`. A run or a job makes `lookups` look-ups in
    `run_s`.
    """

    agents: float = 0.1
    begin_s: float = 9 * HOUR_S
    arrive_s: float = 15 * MINUTE_S
    end_s: float = 18 * HOUR_S
    runs: int = 12
    job_s: float = 15 * MINUTE_S
    jobs_within_s: float = 10.0
    lookups: int = 6
    run_s: float = 3.0

    def days(self, brokers: int) -> Iterator[Workday]:
        """Each broker's day: the same ones whenever they are asked for."""
        chance = random.Random(brokers)  # noqa: S311 - a simulation has to be repeatable
        for number in range(brokers):
            if number < self.agents * brokers:
                begin_s, end_s = 0.0, float(DAY_S)
                jobs = range(int(DAY_S / self.job_s))
                starts = [job * self.job_s + chance.uniform(0, self.jobs_within_s) for job in jobs]
            else:
                begin_s, end_s = self.begin_s + chance.uniform(0, self.arrive_s), self.end_s
                starts = [begin_s, *(chance.uniform(begin_s, end_s) for _ in range(self.runs - 1))]
            pauses = [0.0, *(chance.uniform(0, self.run_s) for _ in range(self.lookups - 1))]
            yield Workday(begin_s, end_s, sorted(start + pause for start in starts for pause in pauses))


@dataclass(frozen=True)
class Workday:
    """When a machine is on, and when its broker is asked."""

    begin_s: float
    end_s: float
    lookups: list[float]


@dataclass
class IdentityService:
    """Answers within `takes_s`, except in the `outage`. `most_per_s` calls in a second get a token, the rest
    is told to come again after `retry_after_s`.
    """

    outage: tuple[float, float] | None = None
    most_per_s: int | None = None
    retry_after_s: float = 30.0
    life_s: float = 3600.0
    takes_s: float = 1.0
    calls: array[int] = field(
        default_factory=lambda: array("L", bytes(array("L").itemsize * (DAY_S + HOUR_S)))
    )

    def answer(self, at_s: float) -> Credential | NotObtained:
        """What a call at this time comes to."""
        second = int(at_s)
        self.calls[second] += 1
        if self.outage is not None and self.outage[0] <= at_s < self.outage[1]:
            return Unavailable("the service does not answer")
        if self.most_per_s is not None and self.calls[second] > self.most_per_s:
            return Unavailable("too many calls", retry_after_s=self.retry_after_s)
        ends = MIDNIGHT.wall + timedelta(seconds=at_s + self.takes_s + self.life_s)
        return Credential("VssSessionToken", TOKEN, ends, "az")

    def peak(self, from_s: float = 0, to_s: float = DAY_S) -> int:
        """The most calls in one second of this time."""
        return max(self.calls[int(from_s) : int(to_s)])

    def last_s(self, until_s: float) -> int:
        """The last second before this one in which it was called."""
        return max(second for second in range(int(until_s)) if self.calls[second])

    def total(self, from_s: float = 0, to_s: float = DAY_S) -> int:
        """All calls in this time."""
        return sum(self.calls[int(from_s) : int(to_s)])


@dataclass
class Broker:
    """One broker as its keeper runs it, with one slot. `alarm_s` is when its timer wakes it next: one that
    rings at another time has been overtaken.
    """

    day: Workday
    slot: Slot = field(default_factory=lambda: Slot(KEY))
    used: Moment = MIDNIGHT
    flight: Credential | NotObtained | None = None
    alarm_s: float = 0.0


class Fleet:
    """Brokers, the look-ups they get, and one identity service. `run` lives through the day, once.

    `draw` gives jitter in [0, 1). `unanswered` counts the look-ups that ended without a token.
    """

    def __init__(
        self,
        days: Iterable[Workday],
        service: IdentityService,
        *,
        policy: RefreshPolicy | None = None,
        draw: Callable[[], float] | None = None,
    ) -> None:
        chance = random.Random(1)  # noqa: S311 - a simulation has to be repeatable
        self.service = service
        self.unanswered = 0
        self._policy = policy or RefreshPolicy()
        self._draw = draw or chance.random
        self._events: list[tuple[float, int, Callable[[Broker, float], None], Broker]] = []
        self._order = 0
        for day in days:
            broker = Broker(day)
            for at_s in day.lookups:
                self._at(at_s, self._ask, broker)
            if day.begin_s == 0:  # it has been on since yesterday: its renewal comes some time in this hour
                self._set_alarm(chance.uniform(0, self._policy.ttl_s), broker)

    def run(self, until_s: float = DAY_S) -> None:
        """Live until this second of the day."""
        while self._events and self._events[0][0] < until_s:
            at_s, _, act, broker = heapq.heappop(self._events)
            act(broker, at_s)

    def _at(self, at_s: float, act: Callable[[Broker, float], None], broker: Broker) -> None:
        self._order += 1
        heapq.heappush(self._events, (at_s, self._order, act, broker))

    def _ask(self, broker: Broker, at_s: float) -> None:
        """A look-up, as `Keeper.held` and `credential_for` treat it."""
        now = broker.used = MIDNIGHT.after(at_s)
        match on_lookup(broker.slot, now):
            case Serve():
                if broker.slot.last_failure is None and broker.slot.is_due(now):
                    self._fly(broker, at_s)
            case Join():
                self._fly(broker, at_s)
                self.unanswered += isinstance(broker.flight, NotObtained)
            case _:
                self.unanswered += 1

    def _turn(self, broker: Broker, at_s: float) -> None:
        """A turn of the keeper's loop, which stands still while its machine sleeps."""
        if broker.flight is not None or not broker.day.begin_s <= at_s < broker.day.end_s:
            return
        now = MIDNIGHT.after(at_s)
        step = next_step(broker.slot, self._policy, now, broker.used)
        if isinstance(step, RefreshNow):
            self._fly(broker, at_s)
        elif isinstance(step, WaitUntil):
            self._set_alarm(at_s + step.moment.left_s(now), broker)

    def _set_alarm(self, at_s: float, broker: Broker) -> None:
        broker.alarm_s = at_s
        self._at(at_s, self._ring, broker)

    def _ring(self, broker: Broker, at_s: float) -> None:
        if broker.alarm_s == at_s:
            self._turn(broker, at_s)

    def _fly(self, broker: Broker, at_s: float) -> None:
        if broker.flight is None:
            broker.flight = self.service.answer(at_s)
            self._at(at_s + self.service.takes_s, self._land, broker)

    def _land(self, broker: Broker, at_s: float) -> None:
        outcome, broker.flight = broker.flight, None
        now = MIDNIGHT.after(at_s)
        if isinstance(outcome, Credential):
            broker.slot = after_success(broker.slot, outcome, self._policy, now, self._draw())
        elif outcome is not None:
            broker.slot = after_failure(broker.slot, outcome, now, self._draw())
        self._turn(broker, at_s)


def naive(days: Iterable[Workday], service: IdentityService) -> int:
    """Let every look-up of these days be a call; return how many got no token."""
    asked = sorted(at_s for day in days for at_s in day.lookups if at_s < DAY_S)
    return sum(isinstance(service.answer(at_s), NotObtained) for at_s in asked)


# The report

OUTAGE = (14.0 * HOUR_S, 15.0 * HOUR_S)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("brokers", nargs="?", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--agents", type=float, default=Habits.agents, help="share of build agents (0.1)")
    parser.add_argument("--runs", type=int, default=Habits.runs, help="of one person in a day (12)")
    parser.add_argument("--lookups", type=int, default=Habits.lookups, help="in one run or job (6)")
    given = parser.parse_args()
    report_a_monday(given.brokers, Habits(agents=given.agents, runs=given.runs, lookups=given.lookups))
    report_one_second(given.brokers)


def report_a_monday(brokers: int, habits: Habits) -> None:
    """A working day with an hour's outage, against one call a look-up."""
    plugin, ours = IdentityService(outage=OUTAGE), IdentityService(outage=OUTAGE)
    days = list(habits.days(brokers))
    refused = naive(days, plugin)
    fleet = Fleet(days, ours)
    fleet.run()
    asked = sum(len(day.lookups) for day in days)
    print(f"A Monday of {brokers:,} brokers, {habits.agents:.0%} of them build agents; {asked:,} look-ups\n")
    _heading("calls a second", "one a look-up")
    for name, (from_s, to_s) in {
        "the whole day": (0.0, float(DAY_S)),
        "09:00 to 09:15, everybody arrives": (habits.begin_s, habits.begin_s + habits.arrive_s),
        "14:00 to 15:00, the service is away": OUTAGE,
        "15:00 to 15:15, it is back": (OUTAGE[1], OUTAGE[1] + 15 * MINUTE_S),
    }.items():
        span_s = to_s - from_s
        _row(f"{name}: mean", plugin.total(from_s, to_s) / span_s, ours.total(from_s, to_s) / span_s)
        _row(f"{name}: peak", plugin.peak(from_s, to_s), ours.peak(from_s, to_s))
    _row("look-ups without a token", refused, fleet.unanswered)


def report_one_second(brokers: int) -> None:
    """All ask in one second: how jitter takes the herd apart, also where the service sends most away."""
    begin_s = Habits.begin_s
    wave_s = RefreshPolicy().ttl_s * (1 - SPREAD_SHARE / 2)
    print(f"\nAll {brokers:,} ask for the first time in one second: the busiest second of each renewal\n")
    _heading("renewal", "without jitter")
    rigid, ours = (_herd(brokers, 5.5 * wave_s, draw) for draw in (_nothing, None))
    for wave in range(1, 6):
        span = begin_s + (wave - 0.5) * wave_s, begin_s + (wave + 0.5) * wave_s
        _row(str(wave), rigid.peak(*span), ours.peak(*span))
    print("\nThe same at a service that takes 100 calls a second and tells the others: Retry-After: 30\n")
    _heading("", "without jitter")
    end_s = begin_s + 40 * MINUTE_S
    rigid, ours = (_herd(brokers, end_s - begin_s, draw, most_per_s=100) for draw in (_nothing, None))
    _row("busiest second after the first", rigid.peak(begin_s + 1, end_s), ours.peak(begin_s + 1, end_s))
    _row("calls until everybody has a token", rigid.total(begin_s, end_s), ours.total(begin_s, end_s))
    _row("seconds until then", rigid.last_s(end_s) - begin_s, ours.last_s(end_s) - begin_s)


def _herd(
    brokers: int, for_s: float, draw: Callable[[], float] | None, most_per_s: int | None = None
) -> IdentityService:
    habits = Habits(agents=0, arrive_s=0.999, runs=1, lookups=1)
    service = IdentityService(most_per_s=most_per_s)
    Fleet(habits.days(brokers), service, draw=draw).run(habits.begin_s + for_s)
    return service


def _nothing() -> float:
    return 0.0


def _heading(name: str, theirs: str) -> None:
    print(f"{name:<42}{theirs:>15}{'brokers':>12}{'ratio':>9}")


def _row(name: str, theirs: float, own: float) -> None:
    ratio = f"{theirs / own:.1f}" if own else "-"
    print(f"{name:<42}{_shown(theirs):>15}{_shown(own):>12}{ratio:>9}")


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure == round(figure) else f"{figure:,.1f}"


if __name__ == "__main__":
    main()
