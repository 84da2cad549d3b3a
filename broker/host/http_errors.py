"""Why a request got no answer, in one line that may be shown: it names who failed, host or proxy, and why.

Only the kinds of errors and the system's own texts are used, never an error's: that may quote a header.
"""

import http
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from broker.core.urls import DEFAULT_PORTS

Kind = Literal["name", "connect", "timeout", "tls", "proxy", "broken"]

_CHAIN_MAX = 20
"""Errors looked at from an outermost one inwards; a real chain has about six."""


class Unreachable(Exception):  # noqa: N818 - an outcome that providers translate
    """No answer from `host`: `reason` is one line without secrets, `kind` the sort of failure."""

    def __init__(self, reason: str, kind: Kind, host: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.host = host


class Route:
    """How far one request came, as `follow` has seen, so that a failure names the host or the proxy."""

    def __init__(self, scheme: str, host: str, port: int | None) -> None:
        self.host = host
        self._goal = (host, DEFAULT_PORTS.get(scheme, 0) if port is None else port)
        self._called = self._goal
        self._stage: Literal["connecting", "securing", "talking"] = "connecting"
        self._is_tunnelled = False

    async def follow(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take note of a step: the `trace` extension of httpcore, whose event names these are (1.0)."""
        if event.endswith(".failed"):
            return
        part, step, _ = event.split(".")
        if event == "connection.connect_tcp.started":
            self._called = (facts["host"], facts["port"])
        elif step == "start_tls":
            self._is_tunnelled = part == "proxy"
            self._stage = "securing"
        elif step not in {"connect_tcp", "start_tls"}:
            self._stage = "talking"

    def failed(self, error: BaseException) -> Unreachable:
        """The failure that this error of a connection is."""
        for cause in _chain(error):
            known = _known(cause)
            if known is not None and self._stage != "talking":
                return self._unreachable(*known)
        match self._stage:
            case "connecting":
                return self._unreachable("no connection", "connect")
            case "securing":
                return self._unreachable("it hung up during the TLS handshake", "tls")
            case "talking":
                return Unreachable(
                    f"{self._who()} hung up without a whole answer", self._kind("broken"), self.host
                )

    def refused_by_proxy(self, status: str) -> Unreachable:
        """The proxy answered CONNECT with this status, whose own text is not shown."""
        code = status.partition(" ")[0]
        try:
            reason = f"{code} {http.HTTPStatus(int(code)).phrase.lower()}"
        except ValueError:
            reason = "no reason given"
        return Unreachable(
            f"{self._proxy()} refused the connection to {self.host}: {reason}", "proxy", self.host
        )

    def too_late(self, deadline_s: float) -> Unreachable:
        """Nothing, or not all, came in time."""
        if self._stage == "talking":
            return Unreachable(f"{self._who()} did not answer within {deadline_s:g} s", "timeout", self.host)
        return Unreachable(
            f"{self._who()} cannot be reached: no connection within {deadline_s:g} s", "timeout", self.host
        )

    def broken(self, what: str) -> Unreachable:
        """The host's answer is none: `what` completes a sentence that begins with the host."""
        return Unreachable(f"{self.host} {what}", "broken", self.host)

    def _unreachable(self, why: str, kind: Kind) -> Unreachable:
        return Unreachable(f"{self._who()} cannot be reached: {why}", self._kind(kind), self.host)

    def _kind(self, kind: Kind) -> Kind:
        return "proxy" if self._is_at_proxy() else kind

    def _who(self) -> str:
        return self._proxy() if self._is_at_proxy() else self.host

    def _is_at_proxy(self) -> bool:
        return self._called != self._goal and not self._is_tunnelled

    def _proxy(self) -> str:
        return "the proxy at {}:{}".format(*self._called)


def no_connection(error: OSError) -> str:
    """Why a connection did not come about, in a few words that may be shown."""
    known = _known(error)
    return "no connection" if known is None else known[0]


def _known(cause: BaseException) -> tuple[str, Kind] | None:
    """Why a connection did not come about, in short and as a kind."""
    match cause:
        case ssl.SSLCertVerificationError(verify_message=str(reason)):
            return f"its certificate is not trusted ({reason.rstrip('.').lower()})", "tls"
        case ssl.SSLError(reason=reason):
            return f"TLS failed ({(reason or 'unknown').replace('_', ' ').lower()})", "tls"
        case socket.gaierror(errno=socket.EAI_NONAME):
            return "its name is not known", "name"
        case socket.gaierror(strerror=reason):
            return f"its name cannot be looked up ({(reason or 'unknown').lower()})", "name"
        case OSError(errno=int(number)):
            return os.strerror(number).lower(), "connect"  # asyncio puts the address into its strerror
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what is behind it, the outermost first; of a group of attempts, the first."""
    current: BaseException | None = error
    for _ in range(_CHAIN_MAX):
        if current is None:
            return
        yield current
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0]
        else:
            current = current.__cause__ or current.__context__
