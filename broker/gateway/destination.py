"""Where a request goes: what CONNECT, TLS, Host and the request's target say alike, or nowhere."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.core.urls import DEFAULT_PORTS
from broker.gateway.host_rules import Endpoint, parse_endpoint
from broker.gateway.request_head import RequestHead, UnfitError


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes: `path` as the client wrote it, with its query."""

    scheme: str
    endpoint: Endpoint
    path: str

    @property
    def host(self) -> str:
        """What stands in Host."""
        shown, port = str(self.endpoint), self.endpoint.port
        return shown.removesuffix(f":{port}") if port == DEFAULT_PORTS[self.scheme] else shown

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.host}{self.path}"


def feed_destination(request: RequestHead, endpoint: Endpoint) -> Destination:
    """Where a request within the TLS of a feed's host goes. Raises UnfitError."""
    if parse_endpoint(request.host, DEFAULT_PORTS["https"]) != endpoint:
        raise UnfitError(421, "Host is not the host of this connection")
    if request.values(b"upgrade"):
        raise UnfitError(501, "the protocol cannot be changed here")
    if not request.target.startswith("/") or request.method in {"CONNECT", "TRACE"}:
        raise UnfitError(400, "the request's target is not a path of this host")
    return Destination("https", endpoint, request.target)


def plain_destination(request: RequestHead) -> Destination:
    """Where a request for plain HTTP goes, whose target is a whole address. Raises UnfitError."""
    try:
        address = urlsplit(request.target)
    except ValueError:
        raise UnfitError(400, "the request's target is no address") from None
    endpoint = parse_endpoint(address.netloc, DEFAULT_PORTS["http"])
    if address.scheme != "http" or endpoint is None:
        raise UnfitError(400, "the request's target is no address of plain HTTP")
    if parse_endpoint(request.host, DEFAULT_PORTS["http"]) != endpoint:
        raise UnfitError(400, "Host is not the host of the request's target")
    if request.values(b"upgrade") or request.method == "TRACE":
        raise UnfitError(501, "the protocol cannot be changed here")
    rest = request.target.partition("://")[2]
    slash, mark = rest.find("/"), rest.find("?")
    if slash < 0 or 0 <= mark < slash:
        return Destination("http", endpoint, "/" + (rest[mark:] if mark >= 0 else ""))
    return Destination("http", endpoint, rest[slash:])
