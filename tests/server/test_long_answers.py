from broker.server.limits import Limits
from broker.server.long_answers import LongAnswers


def test_a_quarter_of_the_connections_is_for_answers_that_last() -> None:
    own, system = Limits.for_fds(1_000_000), Limits.for_fds(1_000_000, shared=True)

    assert (own.connections, own.long_answers, own.long_answers_per_user) == (512, 128, None)
    assert (system.long_answers, system.long_answers_per_user) == (1024, 16)
    assert Limits(connections=1).long_answers == 1


def test_a_place_that_was_given_back_is_free_again() -> None:
    places = LongAnswers(2)
    first, second = places.begin(1), places.begin(1)
    assert first is not None
    assert second is not None

    assert places.begin(2) is None
    first()
    assert places.begin(2) is not None
    assert places.begin(2) is None


def test_no_user_takes_the_places_of_the_others() -> None:
    places = LongAnswers(8, per_user=2, account_of=lambda uid: uid // 1000)

    assert [places.begin(uid) is None for uid in (1000, 1001, 1002, 2000)] == [False, False, True, False]
