"""Failures as RFC 9457 problems, or as the one line that a shim prints.

The one table from failure to status and slug (CONTRACT section 4); brokerctl has the one to exit codes.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker.api.response import PLAIN, PROBLEM, LookupResponse
from broker.core import failures

if TYPE_CHECKING:
    from fastapi.responses import Response

STATUS: dict[type[failures.Failure], tuple[int, str, str]] = {
    failures.BadRequest: (400, "bad-request", "the question makes no sense"),
    failures.SignInNeeded: (401, "sign-in-needed", "a person must sign in"),
    failures.NotAllowed: (403, "not-allowed", "this user may not use this feed"),
    failures.NoFeed: (404, "no-feed", "no feed answers to this"),
    failures.AmbiguousHost: (409, "ambiguous", "several feeds share this host"),
    failures.BadConfiguration: (500, "bad-configuration", "the configuration is broken"),
    failures.Refused: (502, "refused", "the service said no"),
    failures.Unavailable: (503, "unavailable", "the service cannot be reached"),
}
"""Status, type and title of each failure; a subclass goes by its parent's row."""

TEXT = b"text/plain"

RETRY_AFTER_S = 5
"""What a 503 asks for where the service named no time: for as long a held reason answers look-ups."""


def problem(
    failure: failures.Failure, *, text: bool, feed: str | None = None, status: int | None = None
) -> "Response":
    """`answer_to` for a route of FastAPI's."""
    return answer_to(failure, text=text, feed=feed, status=status).response()


def answer_to(
    failure: failures.Failure, *, text: bool, feed: str | None = None, status: int | None = None
) -> LookupResponse:
    """The failure as an answer: one line when `text` is wanted, a problem otherwise.

    `status` overrides the table's, for routes where the same failure means something else.
    """
    code, slug, title = _row(failure)
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(failure, failures.Unavailable):
        headers = (("retry-after", str(round(failure.retry_after_s or RETRY_AFTER_S))),)
    if text:
        return LookupResponse(status or code, PLAIN, line_of(failure, feed) + "\n", headers)
    body = {
        "type": slug,
        "title": title,
        "status": status or code,
        "detail": failure.detail,
        "hint": failure.hint,
        "feed": feed,
    }
    return LookupResponse(status or code, PROBLEM, json.dumps(body), headers)


def slug_of(failure: failures.Failure) -> str:
    """The failure's type, where a line of a stream names it."""
    return _row(failure)[1]


def wants_text(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """True when the client asked for plain text and nothing better: the shims do."""
    return any(name == b"accept" and value.partition(b";")[0].strip() == TEXT for name, value in headers)


def line_of(failure: failures.Failure, feed: str | None) -> str:
    """What failed, for which feed, what to type: one line, ready to print."""
    line = failure.detail if feed is None else f"{feed}: {failure.detail}"
    return line if failure.hint is None else f"{line}; {failures.advice(failure.hint)}"


def _row(failure: failures.Failure) -> tuple[int, str, str]:
    return next(STATUS[kind] for kind in type(failure).__mro__ if kind in STATUS)
