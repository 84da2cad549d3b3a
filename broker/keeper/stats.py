"""What has been asked and how it went: counts, the last look-ups, a latency histogram. No secrets."""

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.status import LookupRecord
from broker.core.verdict import Verdict

RECENT = 20
"""How many look-ups are remembered one by one (CONTRACT section 6)."""

LATENCY_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1.0, 10.0)
"""Upper bounds of the histogram: a hit takes tens of microseconds, a cold `az` seconds."""


class Outcome(StrEnum):
    """How a look-up ended: answered at once, answered after a fetch, no feed of ours, or a failure."""

    HIT = "hit"
    WAIT = "wait"
    MISS = "miss"
    ERROR = "error"


ANSWERED = (Outcome.HIT.value, Outcome.WAIT.value)
"""Those with a token in the answer."""


@dataclass(slots=True)
class FeedCounts:
    """One feed's look-ups by outcome, its own verdicts, and when the last look-up was answered or failed."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    last_used_at: datetime | None = None


class Stats:
    """Counts of everything since the daemon's start; one for the whole daemon."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.recent: deque[LookupRecord] = deque(maxlen=RECENT)
        self.feeds: defaultdict[str, FeedCounts] = defaultdict(FeedCounts)
        self.latency_counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.latency_sum_s = 0.0
        self.last: Moment | None = None

    def record(self, lookup: LookupRecord, outcome: Outcome, begun: Moment, ended: Moment) -> None:
        """Enter one look-up, and the time that it took inside the daemon."""
        took_s = ended.boot_s - begun.boot_s
        self.last = ended
        self.outcomes[outcome] += 1
        self.recent.append(lookup)
        self.latency_counts[bisect_left(LATENCY_BUCKETS_S, took_s)] += 1
        self.latency_sum_s += took_s
        if lookup.feed is not None:
            counts = self.feeds[lookup.feed]
            counts.outcomes[outcome] += 1
            counts.last_used_at = lookup.at

    def judge(self, feed: Feed, verdict: Verdict) -> None:
        """Enter what a feed said to its token, in the look-ups too that were answered with it since."""
        self.feeds[feed.name].verdicts[verdict.word] += 1
        if verdict is Verdict.UNKNOWN:
            return
        for number, lookup in enumerate(self.recent):
            if lookup.feed == feed.name and lookup.verdict is None and lookup.outcome in ANSWERED:
                self.recent[number] = lookup._replace(verdict=verdict.word)

    def of(self, feed: str) -> FeedCounts:
        """The counts of one feed; all zero for a feed without a look-up."""
        return self.feeds.get(feed) or FeedCounts()

    def totals(self, feeds: Iterable[str] | None = None) -> dict[str, int]:
        """Look-ups by outcome, every outcome named: all there were, or those of `feeds`."""
        counts = self.outcomes if feeds is None else Counter[Outcome]()
        for feed in feeds or ():
            counts.update(self.of(feed).outcomes)
        return {outcome.value: counts[outcome] for outcome in Outcome}
