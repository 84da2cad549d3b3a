"""The time by a server's clock: the Date of its answer, whatever it answers. Nothing else asks a network."""

import http.client
import urllib.error
import urllib.request
from datetime import datetime
from email.utils import parsedate_to_datetime

LIMIT_S = 5.0


def server_date(url: str) -> datetime | None:
    """What the server at `url` says the time is; None where it cannot be reached. Sends no credential."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - a feed's URL, parsed: http or https
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310 - the same
            said = answer.headers.get("Date")
    except urllib.error.HTTPError as refusal:
        said = refusal.headers.get("Date")
        refusal.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    try:
        date = parsedate_to_datetime(said or "")
    except (ValueError, OverflowError):  # OverflowError: a year or a zone of too many digits
        return None
    return None if date.tzinfo is None else date
