"""The loopback proxy that stands for the internet: every CONNECT is led to a fake chosen by host name,
behind real TLS with a certificate for that host, and is logged, so that a test can prove who was
contacted and who was not. A host nobody routed is refused; nothing ever leaves loopback.
Next: `azure_devops.py`, the cloud that hangs behind it.
"""

from __future__ import annotations

import enum
import os
import ssl
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.fakes.authority import Authority, strange_authority
from tests.fakes.http1 import Answer, Conversation, Request, Response, Service, converse
from tests.fakes.journal import Journal
from tests.fakes.loopback import LOOPBACK, Line, Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HTTP_PORT = 80
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
_PLAIN_PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy")
_OTHER_PROXY_VARIABLES = ("ALL_PROXY", "all_proxy")
_EXEMPTIONS = ("NO_PROXY", "no_proxy")
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


class Conduct(enum.Enum):
    """What becomes of a CONNECT to a host."""

    LEAD = "led to its fake"
    REFUSE = "502"
    DEMAND_LOGIN = "407"
    RESET = "reset"
    HANG = "no answer"
    STRANGE_CERTIFICATE = "led to its fake behind a certificate that nobody trusts"
    ANOTHERS_CERTIFICATE = "led to its fake behind a certificate for another name"
    EXPIRED_CERTIFICATE = "led to its fake behind a certificate that has ended"


@dataclass(frozen=True)
class Contact:
    """A host that was asked for: by CONNECT, or (`scheme` "http") by a plain request through the proxy."""

    host: str
    port: int
    conduct: Conduct
    scheme: str = "https"


@dataclass(frozen=True)
class _Route:
    pattern: str
    service: Service
    tap: Callable[[bytes], None] | None


class ConnectProxy(Loopback):
    """A context manager; `route` hosts to services before or after entering."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(self._guide, "proxy")
        self.contacts: Journal[Contact] = Journal()
        self._authority = authority
        self._routes: tuple[_Route, ...] = ()
        self._conducts: dict[str, Conduct] = {}

    def route(self, pattern: str, service: Service, tap: Callable[[bytes], None] | None = None) -> None:
        """Lead hosts that match the shell pattern to the service; `tap` sees every decrypted byte. The
        longest pattern wins, of equal ones the latest, so that `*` takes what nobody else does.
        """
        routes = (_Route(pattern, service, tap), *self._routes)
        self._routes = tuple(sorted(routes, key=lambda route: len(route.pattern), reverse=True))

    def conduct(self, host: str, conduct: Conduct) -> None:
        """From now on treat connections to `host` so; `Conduct.LEAD` is the normal way."""
        self._conducts = {**self._conducts, host: conduct}

    @property
    def hosts(self) -> list[str]:
        """Every host that was asked for, each once, sorted."""
        return sorted({contact.host for contact in self.contacts})

    @property
    def url(self) -> str:
        """The proxy's own address."""
        return f"http://{LOOPBACK}:{self.port}"

    def environment(
        self, base: Mapping[str, str] | None = None, *, plain_http: bool = False
    ) -> dict[str, str]:
        """`base` (this process's own environment by default) changed so that every client goes through
        here and trusts the test authority alone. With `plain_http`, http:// too, loopback excepted.
        """
        leads = _PROXY_VARIABLES + (_PLAIN_PROXY_VARIABLES if plain_http else ())
        dropped = {*_PROXY_VARIABLES, *_PLAIN_PROXY_VARIABLES, *_OTHER_PROXY_VARIABLES, "SSL_CERT_DIR"}
        kept = {
            key: value for key, value in (os.environ if base is None else base).items() if key not in dropped
        }
        return {
            **kept,
            **dict.fromkeys(leads, self.url),
            **dict.fromkeys(_EXEMPTIONS, f"{LOOPBACK},localhost" if plain_http else ""),
            **dict.fromkeys(_BUNDLE_VARIABLES, str(self._authority.bundle)),
        }

    def _guide(self, line: Line) -> None:
        conversation = Conversation(line, scheme="http")
        while (request := conversation.next_request()) is not None:
            if request.method == "CONNECT":
                self._tunnel(line, conversation, request)
                return
            if not conversation.give(request, self._pass_on(request)):
                return

    def _tunnel(self, line: Line, conversation: Conversation, request: Request) -> None:
        host, _, port = request.target.rpartition(":")
        if not port.isdecimal():
            conversation.give(request, Response(400))
            return
        host = host.strip("[]").lower()
        route, conduct = self._find(host)
        self.contacts.add(Contact(host, int(port), conduct))
        match conduct:
            case Conduct.REFUSE:
                conversation.give(request, Response(502))
            case Conduct.DEMAND_LOGIN:
                demand = ("Proxy-Authenticate", 'Basic realm="proxy"')
                conversation.give(request, Response(407, headers=(demand,)))
            case Conduct.RESET:
                line.reset()
            case Conduct.HANG:
                line.wait_for_leaving()
            case _ if route is not None:
                conversation.agree_to_connect()
                line.secure(self._server_context(host, conduct))
                if route.tap is not None:
                    line.tap(route.tap)
                converse(line, route.service, scheme="https", host=host)

    def _server_context(self, host: str, conduct: Conduct) -> ssl.SSLContext:
        match conduct:
            case Conduct.STRANGE_CERTIFICATE:
                return strange_authority().server_context(host)
            case Conduct.ANOTHERS_CERTIFICATE:
                return self._authority.server_context("somebody-else.example")
            case Conduct.EXPIRED_CERTIFICATE:
                return self._authority.expired_context(host)
        return self._authority.server_context(host)

    def _pass_on(self, request: Request) -> Answer:
        route, conduct = self._find(request.host)
        self.contacts.add(Contact(request.host, HTTP_PORT, conduct, scheme="http"))
        if route is None or conduct is not Conduct.LEAD:
            return Response(502)
        return route.service(request)

    def _find(self, host: str) -> tuple[_Route | None, Conduct]:
        route = next((route for route in self._routes if fnmatchcase(host, route.pattern)), None)
        conduct = self._conducts.get(host, Conduct.LEAD)
        return route, (Conduct.REFUSE if route is None and conduct is Conduct.LEAD else conduct)
