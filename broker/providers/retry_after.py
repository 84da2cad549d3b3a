"""What a service says about when to come back."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from broker.host.http import Response


def retry_after_s(response: Response) -> float | None:
    """Seconds until the service wants to be asked again, or None when it does not say so intelligibly.

    RFC 9110 section 10.2.3: seconds, or a date, which is measured against the answer's own Date so that a
    clock set wrong, here or there, does not matter. Never negative.
    """
    for value in response.values("retry-after"):
        text = value.strip()
        if text.isascii() and text.isdecimal():
            return float(text[:9])
        asked, sent = _date(text), next(map(_date, response.values("date")), None)
        if asked is not None and sent is not None:
            return max(0.0, (asked - sent).total_seconds())
    return None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a year or a zone of too many digits
        return None
    return None if moment.tzinfo is None else moment
