import pytest

from broker.core.feeds import Realm
from broker.core.learned_feeds import LearnedRealm, dispensable


def realm(name: str) -> Realm:
    return Realm("azure", name)


OLD = LearnedRealm(realm("old"), used_s=1.0)
NEW = LearnedRealm(realm("new"), used_s=9.0)
FLYING = LearnedRealm(realm("flying"), used_s=0.0, is_flying=True)
GOOD = LearnedRealm(realm("good"), used_s=0.0, has_succeeded=True)


@pytest.mark.parametrize(
    ("learned", "goes"),
    [
        ([], None),
        ([OLD], OLD),
        ([NEW, OLD], OLD),
        ([GOOD, FLYING, NEW], NEW),
        ([GOOD], None),
        ([FLYING], None),
        ([GOOD, FLYING], None),
    ],
)
def test_who_never_had_a_credential_goes_first(
    learned: list[LearnedRealm], goes: LearnedRealm | None
) -> None:
    assert dispensable(learned) == (None if goes is None else goes.realm)
