"""Which of the realms learned by `auto` is given up for a new one, when no more can be remembered.

Addresses are made up easily: a project's requirements may name any number of organisations. A realm that has
had a credential is one that the user works with, and no address takes its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.core.feeds import Realm

LEARNED_MAX = 64
"""So many realms are learned at most: look-ups for more and more hosts must not make the daemon grow."""


@dataclass(frozen=True, slots=True)
class LearnedRealm:
    """A realm that was learned: when it was last asked for, in seconds since boot, and what came of it.

    `has_succeeded`: it has had a credential at some time. `is_flying`: one is being fetched.
    """

    realm: Realm
    used_s: float
    has_succeeded: bool = False
    is_flying: bool = False


def dispensable(learned: Iterable[LearnedRealm]) -> Realm | None:
    """The realm to forget: of those that never had a credential, the one not asked for for the longest time.

    None where each has had one or is being asked for one.
    """
    idle = (each for each in learned if not each.has_succeeded and not each.is_flying)
    oldest = min(idle, key=lambda each: each.used_s, default=None)
    return None if oldest is None else oldest.realm
