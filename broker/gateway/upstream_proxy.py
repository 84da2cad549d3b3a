"""Which proxy leads to a host: what the command's environment said before the gateway took its place."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from broker.core.urls import DEFAULT_PORTS, heeds_proxies
from broker.gateway.host_rules import Endpoint


class ProxyAddressError(Exception):
    """A variable names a proxy that cannot be used; the message says which, without the address."""


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """An HTTP proxy. `authorization` is the value of Proxy-Authorization, where its address has a user."""

    endpoint: Endpoint
    is_tls: bool
    authorization: bytes | None = field(default=None, repr=False)


class ProxyChoice:
    """The proxies of an environment: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, each in lower
    case first and then in upper case, as curl has it; HTTP_PROXY in upper case as well.

    Raises ProxyAddressError when made of an environment that names another kind of proxy, such as SOCKS.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._proxies = {
            scheme: _proxy(environ, f"{scheme}_proxy") or _proxy(environ, "all_proxy")
            for scheme in ("https", "http")
        }
        listed = environ.get("no_proxy") or environ.get("NO_PROXY", "")
        self._exempt = [each for each in (part.strip().lower() for part in listed.split(",")) if each]

    def lead_to(self, scheme: str, endpoint: Endpoint) -> UpstreamProxy | None:
        """The proxy for this host, or None for a direct connection."""
        if not heeds_proxies(endpoint.host) or any(_exempts(each, endpoint) for each in self._exempt):
            return None
        return self._proxies[scheme]


def _proxy(environ: Mapping[str, str], name: str) -> UpstreamProxy | None:
    for spelling in (name, name.upper()):
        text = environ.get(spelling, "").strip()
        if text:
            return _parsed(text, spelling)
    return None


def _parsed(text: str, variable: str) -> UpstreamProxy:
    try:
        address = urlsplit(text if "://" in text else f"http://{text}")
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if host is None:
        raise ProxyAddressError(f"{variable} is not a proxy's address")
    if address.scheme not in DEFAULT_PORTS:
        raise ProxyAddressError(
            f"{variable} names a proxy of kind {address.scheme}: only HTTP proxies can be used"
        )
    authorization = None
    if address.username is not None:
        login = f"{unquote(address.username)}:{unquote(address.password or '')}"
        authorization = b"Basic " + base64.b64encode(login.encode())
    endpoint = Endpoint(host, port or DEFAULT_PORTS[address.scheme])
    return UpstreamProxy(endpoint, address.scheme == "https", authorization)


def _exempts(pattern: str, endpoint: Endpoint) -> bool:
    """As curl does: a domain stands for itself and all below it, with or without a dot or star before it;
    addresses may be networks; a port counts where one is written.
    """
    if pattern == "*":
        return True
    try:
        return ipaddress.ip_address(endpoint.host) in ipaddress.ip_network(pattern.strip("[]"), strict=False)
    except ValueError:
        pass
    domain, colon, port = pattern.rpartition(":")
    if colon and port.isdecimal():
        if int(port) != endpoint.port:
            return False
        pattern = domain
    domain = pattern.removeprefix("*").removeprefix(".").strip("[]")
    return endpoint.host == domain or endpoint.host.endswith(f".{domain}")
