"""When which feed is renewed: the rules of `core.refresh`, for configured and for learned feeds."""

from dataclasses import dataclass, field

from broker.core.feeds import Feed
from broker.core.refresh import RefreshPolicy

LEARNED_IDLE_S = 12 * 3600.0
"""A learned feed without a look-up for this long is not renewed any more."""


@dataclass(frozen=True, slots=True)
class RenewalPolicies:
    """When to renew: configured feeds by one rule, learned ones by another."""

    configured: RefreshPolicy = field(default_factory=RefreshPolicy)
    learned: RefreshPolicy = field(default_factory=lambda: RefreshPolicy(idle_s=LEARNED_IDLE_S))

    def of(self, feed: Feed) -> RefreshPolicy:
        """The rule for a feed."""
        return self.configured if feed.configured else self.learned
