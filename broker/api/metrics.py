"""Prometheus' text from the statistics and the keeper: read when scraped, nothing is counted twice.

Imported when first scraped: most daemons never are, and prometheus_client costs start-up time.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from broker.api.backend import Backend
from broker.core.access import Principal, may_see, may_see_totals
from broker.core.feeds import Feed
from broker.keeper.stats import LATENCY_BUCKETS_S, Outcome


def rendered(backend: Backend, principal: Principal) -> tuple[bytes, str]:
    """The metrics of this moment, as far as this caller may see feeds, and their content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(backend, principal))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Snapshot(Collector):
    """All metrics of one daemon, as of the moment they are collected."""

    def __init__(self, backend: Backend, principal: Principal) -> None:
        self._backend = backend
        self._feeds: list[Feed] = [
            feed for feed in backend.keeper.slot_table.feeds() if may_see(principal, feed)
        ]
        self._names = {feed.name for feed in self._feeds}
        self._tells_all = may_see_totals(principal)

    def collect(self) -> Iterator[Metric]:
        yield self._lookups()
        if self._tells_all:
            yield self._latency()
        yield self._verdicts()
        yield self._fetches()
        yield self._life()

    def _tells(self, feed: str) -> bool:
        """Whether this caller may see the feed; only callers who see all are told of removed ones."""
        return self._tells_all or feed in self._names

    def _lookups(self) -> Metric:
        family = CounterMetricFamily(
            "token_broker_lookups", "Look-ups by feed and outcome.", labels=["feed", "outcome"]
        )
        for feed, counts in self._backend.stats.feeds.items():
            if not self._tells(feed):
                continue
            for outcome, number in counts.outcomes.items():
                family.add_metric([feed, outcome.value], number)
        if self._tells_all:
            family.add_metric(["", Outcome.MISS.value], self._backend.stats.outcomes[Outcome.MISS])
        return family

    def _latency(self) -> Metric:
        family = HistogramMetricFamily("token_broker_lookup_seconds", "Time of a look-up inside the daemon.")
        buckets, total = [], 0
        bounds = [*map(str, LATENCY_BUCKETS_S), "+Inf"]
        for bound, count in zip(bounds, self._backend.stats.latency_counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric([], buckets, self._backend.stats.latency_sum_s)
        return family

    def _verdicts(self) -> Metric:
        family = CounterMetricFamily(
            "token_broker_verdicts",
            "What feeds said to their tokens: accepted, rejected or unknown.",
            labels=["feed", "verdict"],
        )
        for feed, counts in self._backend.stats.feeds.items():
            if self._tells(feed):
                for verdict, number in counts.verdicts.items():
                    family.add_metric([feed, verdict], number)
        return family

    def _fetches(self) -> Metric:
        family = CounterMetricFamily(
            "token_broker_fetches", "Token fetches by feed and outcome.", labels=["feed", "outcome"]
        )
        for entry in self._backend.keeper.slot_table:
            if not self._tells(entry.feed.name):
                continue
            family.add_metric([entry.feed.name, "ok"], entry.fetches - entry.failed_fetches)
            family.add_metric([entry.feed.name, "failed"], entry.failed_fetches)
        return family

    def _life(self) -> Metric:
        family = GaugeMetricFamily(
            "token_broker_token_life_seconds", "Seconds of life left of each feed's token.", labels=["feed"]
        )
        now = self._backend.keeper.clock.now()
        for feed in self._feeds:
            entry = self._backend.keeper.slot_table.holding(feed)
            left_s = entry.slot.left_s(now) if entry is not None else None
            if left_s is not None:
                family.add_metric([feed.name], left_s)
        return family
