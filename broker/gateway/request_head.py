"""A request's head, read strictly: what two servers could read in two ways is no request here.

h11 parses as well, and is more lenient than a proxy that adds credentials may be: it joins folded lines,
takes a lone LF for a line's end and prefers `Transfer-Encoding` to a length beside it. What passes here is
read by everybody alike (RFC 9112 sections 2.2, 3.2, 5, 6.3 and 11.2). Decides only; reads nothing.
"""

import re
from dataclasses import dataclass

HEAD_BYTES = 65536
"""More than any server takes (nginx: 32 KiB, IIS: 16 KiB)."""

FIELDS_MAX = 200
END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!\x22$-~]+) HTTP/1\.([01])")
"""A target has no fragment (RFC 9112 section 3.2): what follows a `#` is passed over by some, and for others
it can lead out of the feed by its dot segments.
"""

_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
_LENGTH = re.compile(rb"[0-9]{1,18}")

HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"proxy-authentication-info", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"alt-svc"),
    }
)
"""Fields of one connection (RFC 9110 section 7.6.1). `Alt-Svc` would lead a client past the gateway."""

_MAY_BE_NOMINATED = frozenset({b"close", b"keep-alive", b"te", b"trailer", b"upgrade", b"http2-settings"})
"""What `Connection` may name: any other field would be removed before a feed sees it, or not."""

Fields = tuple[tuple[bytes, bytes], ...]


class UnfitError(Exception):
    """No request for the gateway: `status` is what the client is told, the message why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`fields` have names in lower case, as they stood otherwise. `host` is empty where HTTP/1.0 had none.
    `length`: of the body; None is chunked.
    """

    method: str
    target: str
    is_http_1_1: bool
    fields: Fields
    host: str
    length: int | None

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a field, by its name in lower case."""
        return [value for key, value in self.fields if key == name]

    @property
    def has_body(self) -> bool:
        """Whether anything follows the head."""
        return self.length != 0

    @property
    def awaits_100(self) -> bool:
        """Whether the client holds its body back until it is told to go on."""
        return self.has_body and self.is_http_1_1 and bool(self.values(b"expect"))

    def end_to_end(self) -> Fields:
        """The fields that a feed may see; framing, host and authorization are the sender's to add."""
        dropped = {*HOP_BY_HOP, b"host", b"content-length", b"expect", b"http2-settings"}
        return tuple((name, value) for name, value in self.fields if name not in dropped)


def parse_request_head(head: bytes) -> RequestHead:
    """Read a head up to and with its empty line. Raises UnfitError."""
    line, *rest = head.removesuffix(END).split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise UnfitError(400, "the request line is not one of HTTP/1")
    if len(rest) > FIELDS_MAX:
        raise UnfitError(431, f"more than {FIELDS_MAX} header fields")
    fields = tuple(_field(each) for each in rest)
    method, target = found[1].decode("ascii"), found[2].decode("ascii")
    is_http_1_1 = found[3] == b"1"
    _check_connection(fields)
    return RequestHead(
        method,
        target,
        is_http_1_1,
        fields,
        _host(fields, is_http_1_1=is_http_1_1),
        _length(fields, is_http_1_1=is_http_1_1),
    )


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD.fullmatch(line)
    if found is None:  # folded, a blank before the colon, a lone CR or LF, a control character
        raise UnfitError(400, "a header field is malformed")
    return found[1].lower(), found[2]


def _only(fields: Fields, name: bytes) -> bytes | None:
    values = [value for key, value in fields if key == name]
    if len(values) > 1:
        raise UnfitError(400, f"{name.decode()} is given more than once")
    return values[0] if values else None


def _host(fields: Fields, *, is_http_1_1: bool) -> str:
    """Python's http.client writes its CONNECT in HTTP/1.0 and without Host, before 3.12."""
    host = _only(fields, b"host")
    if host == b"" or (host is None and is_http_1_1):
        raise UnfitError(400, "host is missing")
    return (host or b"").decode("latin-1").lower()


def _length(fields: Fields, *, is_http_1_1: bool) -> int | None:
    length, coding = _only(fields, b"content-length"), _only(fields, b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise UnfitError(400, "both a length and a transfer coding are given")
        if coding.lower() != b"chunked" or not is_http_1_1:
            raise UnfitError(501, "the transfer coding is not chunked")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise UnfitError(400, "the length is not a number")
    return int(length)


def _check_connection(fields: Fields) -> None:
    for name, value in fields:
        if name == b"connection" and not _MAY_BE_NOMINATED.issuperset(nominated(value)):
            raise UnfitError(400, "connection names a field that is not of one connection")
        if name == b"expect" and value.lower() != b"100-continue":
            raise UnfitError(417, "only 100-continue can be expected")
    _only(fields, b"authorization")


def nominated(value: bytes) -> set[bytes]:
    """The names in a `Connection` field, in lower case."""
    return {each.strip().lower() for each in value.split(b",") if each.strip()}
