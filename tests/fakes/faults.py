"""What can go wrong at a service, to be switched on while it runs: one `Faults` stands before each
endpoint, and the functions below make the answers that are documented or were seen in the field.
Next: `organisation.py`, whose endpoints these stand before.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.fakes.http1 import Answer, Drip, Half, Held, Reset, Response, Silence, html_response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable


class Faults:
    """Stands before an endpoint and answers in its place, or lets the true answer wait."""

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._left: int | None = None
        self._gate: threading.Event | None = None
        self._changing = threading.Lock()

    def give(self, answer: Answer, times: int | None = None) -> None:
        """Answer so from now on; with `times`, only so often, and then truly again."""
        with self._changing:
            self._answer, self._left = answer, times

    def hold(self, until: threading.Event) -> None:
        """Answer nobody before the event is set."""
        with self._changing:
            self._gate = until

    def heal(self) -> None:
        """Answer truly and at once again."""
        with self._changing:
            self._answer, self._left, self._gate = None, None, None

    def stand_before(self, true_answer: Callable[[], Answer]) -> Answer:
        """The answer to one request."""
        with self._changing:
            gate, fault = self._gate, self._take()
        answer = true_answer if fault is None else lambda: fault
        return answer() if gate is None else Held(gate, answer)

    def _take(self) -> Answer | None:
        if self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        return self._answer


def azure_error(status: int, message: str, type_key: str = "VssServiceException") -> Response:
    """An error in the JSON shape of Azure DevOps."""
    return json_response(status, {"$id": "1", "message": message, "typeKey": type_key, "eventId": 3000})


def never_signed_in(user: str = "dev@acme.example") -> Response:
    """401 TF401444: the person must once sign in to the organisation with a browser."""
    return azure_error(
        401,
        f"TF401444: Please sign-in at least once as {user} in a web browser to enable access to the service.",
        "FirstSignInRequiredException",
    )


def valid_to_refused() -> Response:
    """400: the organisation does not allow the asked lifetime."""
    return azure_error(400, "The requested token lifetime is not allowed.", "InvalidTokenLifetimeException")


def forbidden() -> Response:
    """403: signed in, and not allowed."""
    return azure_error(403, "TF400813: The user is not authorized to access this resource.")


def not_found() -> Response:
    """404, with which Azure also hides what the user may not see."""
    return azure_error(404, "TF400898: The resource cannot be found.")


def throttled(retry_after_s: int = 7) -> Response:
    """429 with Retry-After."""
    answer = azure_error(429, "TF400733: The request has been canceled: too many requests.")
    return Response(429, answer.body, (*answer.headers, ("Retry-After", str(retry_after_s))))


def broken(status: int = 500) -> Response:
    """A 5xx with the page of a gateway."""
    return html_response(status, f"<html><h1>{status}</h1>Our services aren't available right now</html>")


def html_garbage(status: int = 200) -> Response:
    """A page where JSON belongs: what captive portals and expired sign-ins answer."""
    return html_response(status, "<!DOCTYPE html><html><title>Sign in</title><form></form></html>")


def redirect(location: str, status: int = 302) -> Response:
    """A redirect elsewhere."""
    return Response(status, headers=(("Location", location),))


def half_answer(status: int = 200) -> Half:
    """An answer that breaks off in the middle."""
    return Half(json_response(status, {"token": "x" * 400}))


def silence() -> Silence:
    """A service that takes the request and never answers."""
    return Silence()


def reset() -> Reset:
    """A service that resets the connection instead of answering."""
    return Reset()


def drip(until: threading.Event, content: object) -> Drip:
    """A JSON answer that comes a byte a second, until the event is set."""
    return Drip(json_response(200, content), until)
