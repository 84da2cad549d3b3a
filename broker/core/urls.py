"""What a client asked about: `parse_service` turns its text into a Url or a Host, or says why it cannot.

The one place where a URL is taken apart. Everything after it compares origins and whole path segments;
nothing ever compares strings by prefix. Read `feeds.py` next.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

from broker.core.failures import BadRequest

SERVICE_CHARACTERS_MAX = 4096
"""Longer than any file URL of a feed (PEP 427 names stay under 1,000), short enough to parse freely."""

DEFAULT_PORTS = {"https": 443, "http": 80}

_NOT_IN_A_URL = re.compile(r"""[^!-~]|[\\"<>^`{|}]""")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:;|%3B|/|$)")
"""Tomcat drops what follows a `;` first (CoyoteAdapter.parsePathParameters): `..;` is `..` to it."""

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Origin(NamedTuple):
    """Scheme, host and port as RFC 6454 section 4 has them: lower case, the port always a number."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (
            "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        )


class Url(NamedTuple):
    """An origin and the path's segments, without userinfo, query, fragment or final slash."""

    origin: Origin
    segments: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join((str(self.origin), *self.segments, ""))

    def covers(self, other: "Url") -> bool:
        """True when `other` lies at or below this URL, by whole segments of the same origin."""
        return self.origin == other.origin and self.segments == other.segments[: len(self.segments)]


class Host(NamedTuple):
    """A bare `host[:port]`, which clients ask about after the URL; no port means the scheme's own."""

    host: str
    port: int | None

    def is_of(self, origin: Origin) -> bool:
        """True when this host, with its port or the scheme's default one, is the origin's."""
        port = DEFAULT_PORTS[origin.scheme] if self.port is None else self.port
        return self.host == origin.host and port == origin.port


Service = Url | Host


def parse_service(text: str) -> Service:
    """Return what the text names: a Url, or a Host when it has neither scheme nor path.

    Userinfo is dropped (pdm sends it), a missing scheme before a path means https. Raises BadRequest for
    what no feed can be: too long, control characters, a backslash, dot segments, encoded slashes, a host
    that is not one, plain http to anything but loopback.
    """
    if len(text) > SERVICE_CHARACTERS_MAX:
        raise BadRequest(f"the service is longer than {SERVICE_CHARACTERS_MAX:,} characters")
    if _NOT_IN_A_URL.search(text):
        raise BadRequest("the service is not a URL: it has characters that a URL cannot have")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "https", text
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise BadRequest("only https and http have feeds")
    rest = rest.partition("#")[0].partition("?")[0]
    authority, slash, path = rest.partition("/")
    if slash and not separator and authority.endswith(":"):
        raise BadRequest("the service is not a URL: write two slashes after the colon")
    host, port = _host_and_port(authority.rpartition("@")[2])
    if not separator and not slash:
        return Host(host, port)
    if scheme == "http" and not is_loopback(host):
        raise BadRequest("plain http is answered for loopback only: use https")
    return Url(Origin(scheme, host, DEFAULT_PORTS[scheme] if port is None else port), _segments(path))


def parse_url(text: str) -> Url:
    """Return the Url that a configured address names; raises BadRequest for a bare host and all the rest."""
    service = parse_service(text)
    if isinstance(service, Host):
        raise BadRequest("this is a host, not a URL: write https:// before it")
    return service


def has_password(text: str) -> bool:
    """True when the userinfo of an address that `parse_url` takes has a password. Never raises."""
    rest = text.partition("://")[2] or text
    return bool(re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[0].partition(":")[2])


def urls_of(texts: Iterable[str]) -> tuple[Url, ...]:
    """Those of the texts that are URLs."""
    found = []
    for text in texts:
        try:
            found.append(parse_url(text))
        except BadRequest:
            continue
    return tuple(found)


def printable(text: str) -> str | None:
    """The address as it was typed, but for what may be a secret: its userinfo, query and fragment.

    None where these have no sure end, such as a password with a slash that is not encoded, and for what is
    no address at all. Never raises. Every address that somebody else wrote goes through here before it
    stands in a message, a hint or a log.
    """
    if len(text) > SERVICE_CHARACTERS_MAX or _NOT_IN_A_URL.search(text):
        return None
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    beyond = rest[len(authority) :]
    if "@" in beyond:
        return None  # it may end a password in which one of `/?#` stands
    host = authority.rpartition("@")[2]
    try:
        _host_and_port(host)
    except BadRequest:
        return None
    return f"{scheme}{separator}{host}{re.split('[?#]', beyond, maxsplit=1)[0]}"


_TOKEN = re.compile(r"(?=[^@]*[0-9])(?=[^@]*[A-Za-z])[^@\s]{20,}|(gh[a-z]|glpat|pypi|eyJ|AKC|cmVmd).{8,}")


def may_be_token(username: str) -> bool:
    """True for a username that some servers' users put a token into: long, of letters and digits, no mail.

    The conventional ones, such as `VssSessionToken`, are none; a client id (a GUID) is taken for one.
    """
    return _TOKEN.fullmatch(username) is not None


_PATH_TOKEN = re.compile(
    r"(?=.*[0-9])((?=.*[A-Z])(?=.*[a-z])\w{16,}|(?=.*[A-Za-z])\w{24,})|(gh[a-z]_|glpat-|pypi-|eyJ).{8,}",
    re.ASCII,
)
"""A segment of digits and letters, of both cases or long, and without a hyphen or a dot, as GUIDs and most
names have one.
"""


def path_token(url: Url) -> str | None:
    """The segment that may be a token, as Cloudsmith's entitlement tokens stand in a path; None without one.

    Cloudsmith's page "Entitlement Tokens" (dl.cloudsmith.io/TOKEN/OWNER/REPOSITORY); a token has 16 letters
    and digits.
    """
    return next((each for each in url.segments if _PATH_TOKEN.fullmatch(each)), None)


def is_loopback(host: str) -> bool:
    """True for localhost, its subdomains (RFC 6761 section 6.3) and loopback addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def heeds_proxies(host: str) -> bool:
    """False for this machine, whose feeds show a password by plain http, and for what is on its own link, as
    the identity of a machine in a cloud is (169.254.169.254): a proxy would be asked for its own.
    """
    try:
        return not (is_loopback(host) or ipaddress.ip_address(host).is_link_local)
    except ValueError:
        return True


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, colon_port = text[1:].partition("]")
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            bracket = ""
        if not bracket or (colon_port and not colon_port.startswith(":")):
            raise BadRequest("the service is not a URL: its address is not one")
        port = colon_port[1:]
    else:
        host, _, port = text.lower().partition(":")
        if not _HOST.fullmatch(host):
            raise BadRequest("the service is not a URL: its host is not one")
    if not port:
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:  # noqa: PLR2004 - RFC 9293's port range
        raise BadRequest("the service is not a URL: its port is not one")
    return host, int(port)


def _segments(path: str) -> tuple[str, ...]:
    if "%" in path:
        path = _ESCAPE.sub(_unescape, path)
    if _DOT_SEGMENT.search(path):
        raise BadRequest("the URL has dot segments")
    segments = path.split("/")
    if segments[-1] == "":
        segments.pop()
    return tuple(segments)


def _unescape(escape: re.Match[str]) -> str:
    """One spelling for one character (RFC 3986 section 6.2.2), so that comparing segments is enough."""
    if escape[1] is None:
        raise BadRequest("the URL has a percent sign that is not an escape")
    character = chr(int(escape[1], 16))
    if character == "/":
        raise BadRequest(
            "the URL has an encoded slash: where it is a path in GitLab, write its number instead"
        )
    if character == "\\" or character < " " or character == "\x7f":
        raise BadRequest("the URL has an encoded backslash or control character")
    return character if character in _UNRESERVED else escape[0].upper()
