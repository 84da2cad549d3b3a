"""What the shims and the daemon of version 0.1 say to each other, to the byte.

Both sides are held to these words, so that each understands the other of a neighbouring version. Change none
of them; what a later version says as well gets a table of its own.
"""

URL = "https://feed.example/corp/simple/"

_END = b" HTTP/1.1\r\nHost: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"

WAIT = b"WAIT"
"""Stands for the seconds that a shim can wait, such as 29.500."""

REQUESTS: dict[tuple[str, ...], bytes] = {
    ("get", URL, "Fred"): (
        b"GET /v1/credential?url=https%3A%2F%2Ffeed.example%2Fcorp%2Fsimple%2F&username=Fred&wait=WAIT" + _END
    ),
    ("--mode", "creds", "get", URL): (
        b"GET /v1/credential?url=https%3A%2F%2Ffeed.example%2Fcorp%2Fsimple%2F&wait=WAIT" + _END
    ),
    ("get", "elsewhere.example", "a b@c"): (
        b"GET /v1/credential?url=elsewhere.example&username=a%20b%40c&wait=WAIT" + _END
    ),
}
"""What a shim asks when it is called with these words."""

_HEAD = b"\r\ncontent-length: %d\r\ncontent-type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%s"


def _answer(status_line: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 " + status_line + _HEAD % (len(body), body)


CREDENTIAL = _answer(b"200 OK", b"VssSessionToken\ntoken-1\n")
ECHOED = _answer(b"200 OK", b"Fred\ntoken-1\n")
NO_FEED = _answer(b"404 Not Found", b"no feed has this address\n")

ANSWERS = dict(zip(REQUESTS, (ECHOED, CREDENTIAL, NO_FEED), strict=True))
"""What a daemon answers whose feed `corp` has URL, and which holds `token-1` for it."""
