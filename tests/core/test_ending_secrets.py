from datetime import timedelta

import pytest

from broker.core.credential import Credential, Secret
from broker.core.feeds import Feed, Realm
from broker.core.refresh import RefreshPolicy, Slot, after_success
from broker.core.status import Usage, feed_status
from broker.core.urls import parse_url
from tests.core.test_refresh import NOW

FEED = Feed("corp", Realm("gitlab", "https://git.example.com"), (parse_url("https://git.example.com/"),))


def warning(ends_in: timedelta | None, manual_renewal: str | None) -> str | None:
    ends = None if ends_in is None else NOW.wall + ends_in
    credential = Credential("u", Secret("s3cret"), ends, "file:~/x", manual_renewal=manual_renewal)
    slot = after_success(Slot(FEED.key()), credential, RefreshPolicy(), NOW, 0.0)
    return feed_status(FEED, slot, None, Usage(NOW.wall), ttl_s=3000, shares=None, now=NOW).warning


@pytest.mark.parametrize(
    ("ends_in", "manual_renewal", "is_warned"),
    [
        (timedelta(days=14), "put another there", True),
        (timedelta(hours=1), "put another there", True),
        (timedelta(days=14, seconds=1), "put another there", False),
        (timedelta(hours=1), None, False),
        (None, "put another there", False),
    ],
)
def test_a_secret_that_a_person_replaces_is_warned_of_two_weeks_before_its_end(
    ends_in: timedelta | None, manual_renewal: str | None, *, is_warned: bool
) -> None:
    assert (warning(ends_in, manual_renewal) is not None) == is_warned


def test_a_warning_says_when_and_what_to_do() -> None:
    ends = NOW.wall + timedelta(days=2)

    assert warning(timedelta(days=2), "put another there") == (
        f"the secret from file:~/x ends on {ends:%Y-%m-%d}: put another there"
    )
