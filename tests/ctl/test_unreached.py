"""What `why` says of an index that the client never reached, by the words of real runs."""

from __future__ import annotations

import pytest

from broker.ctl.why.unreached import why_unreached

URL = "https://feed.example/simple/"
OBJECT = "<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f47ad88d8d0>"
PIP = "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
UNKNOWN = "[Errno -2] Name or service not known"
UV_LINES = (
    "error: Failed to fetch: https://feed.example/simple/x/\n"
    "  {}: error sending request for url (https://feed.example/simple/x/)\n"
    "  {}: client error (Connect)\n"
    "  {}: invalid peer certificate: UnknownIssuer\n"
)
BROKEN_LINES = (
    "error: Failed to fetch:\n"
    "       https://feed.example/simple/x/\n"
    "  cause: error sending request for url\n"
    "         (https://feed.example/simple/x/)\n"
    "  cause: client error (Connect)\n"
    "  cause: invalid peer certificate:\n"
    "         UnknownIssuer\n"
)
LISTED = f"Looking in indexes: {URL}\n"
UNNAMED = (
    f"{PIP}connection broken by 'NewConnectionError('{OBJECT}: Failed to establish a new connection: "
    f"{UNKNOWN}')': /simple/x/\n"
)
NAMED = (
    f"{PIP}connection broken by 'NameResolutionError(\"HTTPSConnection(host='feed.example', port=443): "
    f"Failed to resolve 'feed.example' ({UNKNOWN})\")': /simple/x/\n"
)
UNTRUSTED = "There was a problem confirming the ssl certificate: self-signed certificate (_ssl.c:1006)"
SAID = {
    "uv": (UV_LINES.replace("{}", "cause"), "invalid peer certificate: UnknownIssuer"),
    "uv on a narrow screen": (BROKEN_LINES, "invalid peer certificate: UnknownIssuer"),
    "uv on a narrow terminal": (
        BROKEN_LINES.replace("\n", "\r\n"),
        "invalid peer certificate: UnknownIssuer",
    ),
    "an older uv": (UV_LINES.replace("{}", "Caused by"), "invalid peer certificate: UnknownIssuer"),
    "a uv that was cut off": (UV_LINES[: UV_LINES.index("\n  {}: client")], "no connection"),
    "pip 26.3": (NAMED, f"Failed to resolve 'feed.example' ({UNKNOWN})"),
    "pip 26.0": (LISTED + UNNAMED, f"Failed to establish a new connection: {UNKNOWN}"),
    "pip and a certificate": (f"Could not fetch URL {URL}x/: {UNTRUSTED} - skipping\n", UNTRUSTED),
}


@pytest.mark.parametrize(("said", "why"), SAID.values(), ids=SAID)
def test_the_clients_own_words_say_why_it_did_not_reach_an_index(said: str, why: str) -> None:
    assert why_unreached(f"before\n{said}after\n", URL) == why


@pytest.mark.parametrize("said", [said for said, _ in SAID.values()], ids=SAID)
def test_of_another_index_nothing_is_said(said: str) -> None:
    assert why_unreached(said, "https://other.example/simple/") is None


@pytest.mark.parametrize("before", ["", f"Looking in indexes: {URL}, https://other.example/simple/\n"])
def test_words_without_a_host_are_about_no_index_where_there_may_be_others(before: str) -> None:
    assert why_unreached(before + UNNAMED, URL) is None
