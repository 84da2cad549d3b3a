import pytest

from broker.host.http import Response
from broker.providers.retry_after import retry_after_s

SENT = ("date", "Sat, 21 Nov 2026 09:00:00 GMT")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((), None),
        ((("retry-after", "7"),), 7.0),
        ((("retry-after", "0"),), 0.0),
        ((("retry-after", "9" * 400),), 999_999_999.0),
        ((("retry-after", "soon"),), None),
        ((("retry-after", "-7"),), None),
        ((("retry-after", "1.5"),), None),
        ((("retry-after", "soon"), ("retry-after", "7")), 7.0),
        ((SENT, ("retry-after", "Sat, 21 Nov 2026 09:01:30 GMT")), 90.0),
        ((SENT, ("retry-after", "Sat, 21 Nov 2026 08:00:00 GMT")), 0.0),
        ((("retry-after", "Sat, 21 Nov 2026 09:01:30 GMT"),), None),
        ((("date", "yesterday"), ("retry-after", "Sat, 21 Nov 2026 09:01:30 GMT")), None),
        ((SENT, ("retry-after", "Sat, 21 Nov 2026 09:01:30 -0000")), None),
        ((SENT, ("retry-after", "Sat, 41 Nov 2026 09:01:30 GMT")), None),
        ((SENT, ("retry-after", "Sat, 21 Nov 99999999999 09:01:30 GMT")), None),
        ((SENT, ("retry-after", "Sat, 21 Nov 2026 09:01:30 +99999999999999999")), None),
    ],
)
def test_a_wish_is_read_in_seconds_or_as_a_date_after_the_answers_own(
    headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    assert retry_after_s(Response(503, headers, b"")) == seconds
