"""Failures as responses: an RFC 9457 problem (`core/problem.py`), or the one line that a shim prints."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker.api.response import PLAIN, LookupResponse
from broker.core import failures
from broker.core.problem import MEDIA_TYPE, problem_json, problem_type
from broker.core.refresh import HOLD_FAILING_S

if TYPE_CHECKING:
    from fastapi.responses import Response

TEXT = b"text/plain"


def problem(
    failure: failures.Failure, *, text: bool, feed: str | None = None, status: int | None = None
) -> "Response":
    """`answer_to` for a route of FastAPI's."""
    return answer_to(failure, text=text, feed=feed, status=status).response()


def answer_to(
    failure: failures.Failure, *, text: bool, feed: str | None = None, status: int | None = None
) -> LookupResponse:
    """The failure as an answer: one line when `text` is wanted, a problem otherwise.

    `feed` is the one that was asked for or ordered, which a NoFeed does not name. `status` overrides the
    table's, for routes where the same failure means something else.
    """
    feed = None if isinstance(failure, failures.NoFeed) else feed
    status = status or problem_type(failure).status
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(failure, failures.Unavailable):
        # where the service named no time: for as long a held reason answers look-ups
        headers = (("retry-after", str(round(failure.retry_after_s or HOLD_FAILING_S))),)
    if text:
        return LookupResponse(status, PLAIN, line_of(failure, feed) + "\n", headers)
    body = json.dumps(problem_json(failure, feed=feed, status=status))
    return LookupResponse(status, MEDIA_TYPE, body, headers)


def wants_text(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """True when the client asked for plain text and nothing better: the shims do."""
    return any(name == b"accept" and value.partition(b";")[0].strip() == TEXT for name, value in headers)


def line_of(failure: failures.Failure, feed: str | None) -> str:
    """What failed, for which feed, what to type: one line, ready to print."""
    line = failure.detail if feed is None else f"{feed}: {failure.detail}"
    return line if failure.hint is None else f"{line}; {failures.advice(failure.hint)}"
