"""What a broker may say, and what it means: tables for the shims and for the keyring library's backend."""

from __future__ import annotations

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"
BODY = b"Fred\ns3cret\n"
NOT_UNDERSTOOD = "the broker's answer was not understood; run: brokerctl restart"
CUT_SHORT = "the broker's answer was cut short; run: brokerctl status"


def ok(body: bytes) -> bytes:
    """Return a 200 with this body."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


LONGEST_BYTES = 65_536
"""So long may an answer be, head and body together."""


def as_long_as(count: int) -> bytes:
    """Return a good answer of so many bytes."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx: "
    start, end = head % len(BODY), b"\r\n\r\n" + BODY
    return start + b"y" * (count - len(start) - len(end)) + end


GOOD = {
    "as the daemon says it": ok(BODY),
    "no newline at the end": ok(BODY[:-1]),
    "HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + BODY,
    "no reason phrase": HEAD.replace(b" OK", b"") + BODY,
    "empty reason phrase": HEAD.replace(b"OK", b"") + BODY,
    "header in capitals, blanks around its value": HEAD.replace(b"content-length: ", b"CONTENT-LENGTH: \t ")
    + BODY,
    "blanks behind a value": HEAD.replace(b"12\r\n", b"12 \t\t \r\n") + BODY,
    "other headers": HEAD.replace(b"\r\n\r\n", b"\r\nserver: x\r\nx-content-length: 1\r\n\r\n") + BODY,
    "headers that end alike": HEAD.replace(
        b"\r\n\r\n", b"\r\nxcontent-length: 1\r\nxxcontent-length: 1\r\n\r\n"
    )
    + BODY,
    "headers of nearly that name": HEAD.replace(
        b"\r\n\r\n",
        b"\r\nkontent-length: 1\r\ncontent-lengtx: 1\r\ncontent-lengt: 1\r\ncontent-lengths: 1\r\n"
        b"content-length-: 1\r\ntransfer-encodinx: chunked\r\nxransfer-encoding: chunked\r\n\r\n",
    )
    + BODY,
    "carriage return before another header": HEAD.replace(b"\r\n\r\n", b"\r\n\rx: y\r\n\r\n") + BODY,
    "length with zeros": HEAD.replace(b"12", b"0000012") + BODY,
    "the longest there may be": as_long_as(LONGEST_BYTES),
}

MALFORMED = {
    "garbage": b"\x00\xff\x00\xff" * 100,
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\ncontent-length: 12\r\n\r\n" + BODY,
    "no version": b"HTTP/1. 200 OK\r\ncontent-length: 12\r\n\r\n" + BODY,
    "no point in the version": HEAD.replace(b"1.1", b"1x1") + BODY,
    "length behind a bare carriage return": HEAD.replace(b" OK\r\n", b" O\rx") + BODY,
    "length in another header, behind a bare carriage return": HEAD.replace(b"OK\r\n", b"OK\r\nx: y\rx")
    + BODY,
    "no blank": HEAD.replace(b"1.1 ", b"1.1x") + BODY,
    "no status": b"HTTP/1.1\r\ncontent-length: 12\r\n\r\n" + BODY,
    "status of letters": HEAD.replace(b"200", b"2OO") + BODY,
    "status of two digits": HEAD.replace(b"200", b"20") + BODY,
    "status of two digits alone": HEAD.replace(b"200 OK", b"20") + BODY,
    "status of four digits": HEAD.replace(b"200", b"2000") + BODY,
    "carriage return after the status": HEAD.replace(b"200 OK", b"200\rOK") + BODY,
    "no length": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "two lengths": HEAD.replace(b"\r\n\r\n", b"\r\ncontent-length: 12\r\n\r\n") + BODY,
    "empty length": HEAD.replace(b"12", b"") + BODY,
    "empty length, no body": b"HTTP/1.1 503 Whatever\r\ncontent-length:\r\n\r\n",
    "negative length": HEAD.replace(b"12", b"-12") + BODY,
    "length with a sign": HEAD.replace(b"12", b"+12") + BODY,
    "length of letters": HEAD.replace(b"12", b"1x") + BODY,
    "length of nearly digits, a slash": HEAD.replace(b"12", b"2/") + b"Fred\n" + b"s" * 13 + b"\n",
    "length of nearly digits, a colon": HEAD.replace(b"12", b"1:") + b"Fred\n" + b"s" * 14 + b"\n",
    "length of eight digits": HEAD.replace(b"12", b"00000012") + BODY,
    "longer than it says": HEAD.replace(b"12", b"11") + BODY,
    "chunked": HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n") + BODY,
    "CHUNKED": HEAD.replace(b"\r\n\r\n", b"\r\nTRANSFER-ENCODING:chunked\r\n\r\n") + BODY,
    "one line": ok(b"s3cret"),
    "one line, ended": ok(b"s3cret\n"),
    "no username, no password": ok(b"\n\n"),
    "empty": ok(b""),
    "empty password": ok(b"Fred\n\n"),
    "three lines": ok(b"Fred\ns3cret\nmore\n"),
    "two ends": ok(b"Fred\ns3cret\n\n"),
    "carriage returns": ok(b"Fred\r\ns3cret\r\n"),
    "control character": ok(b"Fred\ns3\x1bcret\n"),
    "last control character": ok(b"Fred\ns3\x1fcret\n"),
    "password of a blank": ok(b"Fred\n \n"),
    "zero byte": ok(b"Fred\ns3\x00cret\n"),
    "DEL": ok(b"Fred\ns3cret\x7f\n"),
    "not ASCII": ok("Fred\ns3crét\n".encode()),
    "username not ASCII": ok("Frèd\ns3cret\n".encode()),
    "blank before the password": ok(b"Fred\n s3cret\n"),
    "blank after the password": ok(b"Fred\ns3cret \n"),
    "blank after the username": ok(b"Fred \ns3cret\n"),
    "tab": ok(b"Fred\n\ts3cret\n"),
    "a byte longer than the longest": as_long_as(LONGEST_BYTES + 1),
    "a megabyte": ok(b"Fred\n" + b"s" * 1_000_000),
    "a megabyte of head": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200_000,
    "a length of a megabyte": b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + BODY * 10_000,
}

HALF = {
    "one byte": b"H",
    "half a version": b"HTTP/1",
    "half a status line": b"HTTP/1.1 2",
    "half a head": HEAD[:-2],
    "head alone": HEAD,
    "half a body": HEAD + BODY[:-1],
}

PROBLEMS = {
    401: "labs: sign-in at Azure has expired; run: az login --tenant 2222",
    403: "labs: uid 1001 may not use this feed; run: sudo brokerctl doctor",
    500: "config.toml line 4: unknown key; run: brokerctl doctor",
    502: "labs: the feed says no: Packaging (read) is missing; run: brokerctl explain labs",
    503: "labs: login.microsoftonline.com cannot be reached; run: brokerctl status",
    418: "something new; run: brokerctl status",
    301: "somewhere else; run: brokerctl status",
}
