"""Asking the running daemon: one function per shape of answer, and its refusals as CommandError.

The socket, and which peers to trust there, are the client's; nothing here ever starts a daemon.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager

import token_broker_client as client

from broker.ctl.command_error import CommandError, ExitCode

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TypeVar

    Json = dict[str, Any]
    _Answer = TypeVar("_Answer")
else:
    Json = dict

PATIENCE_S = 10.0
"""For answers that the daemon has at hand: it may be importing an SDK just then."""

FETCH_PATIENCE_S = 120.0
"""For answers that wait for a fetch: longer than the daemon's own limit (keeper.FLIGHT_LIMIT_S, 90 s)."""

OK = 200
SIGN_IN_NEEDED = 401

NO_FEED = "no-feed"
BAD_CONFIGURATION = "bad-configuration"


def ask_either_broker(ask: Callable[[str | None], _Answer]) -> _Answer:
    """What `ask` returns for the user's broker, or for the system's where the user's has no such feed.

    The same where the user's does not run. `ask` gets the socket: None is the user's own. Raises
    CommandError.
    """
    try:
        return ask(None)
    except (BrokerNotRunningError, RefusedError) as outcome:
        if isinstance(outcome, RefusedError) and outcome.kind != NO_FEED:
            raise
        try:
            return ask(client.SYSTEM_SOCKET)
        except BrokerNotRunningError:
            raise outcome from None


def read(
    path: str,
    query: Mapping[str, str | None] | None = None,
    *,
    patience_s: float = PATIENCE_S,
    socket: str | None = None,
) -> Json:
    """The object that GET `path` answers; a parameter that is None is left out. Raises CommandError."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return _exchange("GET", _with_query(path, given), patience_s, socket)


def order(path: str, *, patience_s: float = PATIENCE_S, socket: str | None = None) -> Json:
    """The object that POST `path` answers, once it is done. Raises CommandError."""
    return _exchange("POST", path, patience_s, socket)


@contextmanager
def steps(
    path: str, query: Mapping[str, str] | None = None, *, socket: str | None = None
) -> Iterator[Iterator[Json]]:
    """The objects that POST `path` answers one by one, as long as it takes. Raises CommandError.

    Leaving the context hangs up, by which the daemon gives up what it was doing.
    """
    target = _with_query(path, query or {})
    with ExitStack() as hung_up:
        with _as_command_errors():
            stream = client.stream("POST", target, patience_s=PATIENCE_S, path=socket)
            answer = hung_up.enter_context(stream)
            if answer.status != OK:
                raise _refusal(answer.status, _object(answer.read()))
        yield _objects(answer)


def _objects(lines: client.Stream) -> Iterator[Json]:
    with _as_command_errors():
        yield from map(_object, lines)


def _with_query(path: str, query: Mapping[str, str]) -> str:
    """The target; bytes of an argument that are no UTF-8 go as they came (PEP 383)."""
    if not query:
        return path
    from urllib.parse import urlencode  # noqa: PLC0415 - for a query only

    return f"{path}?{urlencode(query, errors='surrogateescape')}"


def check_feed_name(name: str) -> None:
    """Raise CommandError for what is no feed's name, such as an address; it is not repeated."""
    if not name or "/" in name or not name.isprintable():
        raise CommandError("this is no feed's name", hint="brokerctl status", exit_code=ExitCode.USAGE)


def feed_path(name: str, verb: str) -> str:
    """The path of one feed's verb. Raises CommandError for what is no feed's name."""
    from urllib.parse import quote  # noqa: PLC0415 - for a feed's verb only

    check_feed_name(name)
    return f"/v1/feeds/{quote(name, safe='')}/{verb}"


def asked_feed(name: str, *, socket: str | None = None) -> Json:
    """The status of a feed that the daemon has just asked whether it takes its token. Raises CommandError."""
    return order(feed_path(name, "verify"), patience_s=FETCH_PATIENCE_S, socket=socket)


def is_system_socket(path: str | None) -> bool:
    """True for the system broker's socket, however its path is written. Never raises."""
    return path is not None and client.is_system_socket(path)


class BrokerNotRunningError(CommandError):
    """No broker serves."""

    def __init__(self) -> None:
        super().__init__(
            "token-broker is not running", hint="brokerctl start", exit_code=ExitCode.NOT_RUNNING
        )


class SilentBrokerError(CommandError):
    """A broker serves and gave no whole answer in time."""


class RefusedError(CommandError):
    """The daemon was asked and said no; `kind` is the slug of CONTRACT section 4."""

    def __init__(self, detail: str, *, hint: str | None, exit_code: ExitCode, kind: str) -> None:
        super().__init__(detail, hint=hint, exit_code=exit_code)
        self.kind = kind


def _exchange(method: str, target: str, patience_s: float, socket: str | None) -> Json:
    with _as_command_errors():
        answer = client.request(method, target, patience_s=patience_s, path=socket)
    found = _object(answer.body)
    if answer.status != OK:
        raise _refusal(answer.status, found)
    return found


@contextmanager
def _as_command_errors() -> Iterator[None]:
    """Raises what the client raises in the block as CommandError."""
    try:
        yield
    except client.NotRunningError:
        raise BrokerNotRunningError from None
    except client.BrokerError as error:
        detail, _, hint = str(error).partition("; run: ")  # it names what to type already
        kind = SilentBrokerError if isinstance(error, client.NoAnswerError) else CommandError
        raise kind(detail, hint=hint or None) from None
    except OSError as error:
        raise CommandError(
            f"the broker's socket cannot be used ({error.strerror})", hint="brokerctl restart"
        ) from None


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandError("the broker's answer was not understood", hint="brokerctl restart")
    return found


def _refusal(status: int, problem: Mapping[str, Any]) -> RefusedError:
    """The problem (RFC 9457) as a RefusedError: a person must sign in, or the credential cannot be had."""
    feed, detail = problem.get("feed"), problem.get("detail") or f"the broker answered {status}"
    return RefusedError(
        f"{feed}: {detail}" if feed else str(detail),
        hint=problem.get("hint"),
        exit_code=ExitCode.NEEDS_A_PERSON if status == SIGN_IN_NEEDED else ExitCode.CANNOT_BE_HAD,
        kind=str(problem.get("type", "")),
    )
