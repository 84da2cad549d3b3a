"""Why an index gave no answer, by real runs' words: of an unknown host, a closed port, a strange certificate.

uv wrote its lines on stderr, pip (20.3.4, 23.0, 24.3, 25.3, 26.0 and 26.3) its own into the file of PIP_LOG.
"""

from __future__ import annotations

import pytest

from broker.ctl.why.account import AccountAct, AccountStep
from broker.ctl.why.pip_account import steps_of
from broker.ctl.why.uv_account import unreached_in

PAGE = "https://feed.example/simple/x/"
UNKNOWN_ISSUER = "invalid peer certificate: UnknownIssuer"
LINES = (
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
UV = {
    "uv": (LINES.replace("{}", "cause"), UNKNOWN_ISSUER),
    "an older uv": (LINES.replace("{}", "Caused by"), UNKNOWN_ISSUER),
    "uv on a narrow screen": (BROKEN_LINES, UNKNOWN_ISSUER),
    "uv on a narrow terminal": (BROKEN_LINES.replace("\n", "\r\n"), UNKNOWN_ISSUER),
    "a uv that was cut off": (LINES.replace("{}", "cause").partition("  cause: client")[0], "no connection"),
}

POOL = "HTTPSConnectionPool(host='feed.example', port=443): Max retries exceeded with url: /simple/x/"
OBJECT = "<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f8538d33b50>"
UNKNOWN = "[Errno -2] Name or service not known"
UNTRUSTED = "There was a problem confirming the ssl certificate: "
PIP = {
    "connection error: Failed to resolve IP address for 'feed.example' "
    f"({UNKNOWN})": f"Failed to resolve IP address for 'feed.example' ({UNKNOWN})",
    "connection error: [Errno 111] Connection refused": "[Errno 111] Connection refused",
    f"connection error: {POOL} (Caused by NewConnectionError('{OBJECT}: "
    f"Failed to establish a new connection: {UNKNOWN}'))": f"Failed to establish a new connection: {UNKNOWN}",
    f"connection error: {POOL} (Caused by NameResolutionError(\"{OBJECT}: Failed to resolve 'feed.example' "
    f'({UNKNOWN})"))': f"Failed to resolve 'feed.example' ({UNKNOWN})",
    f"{UNTRUSTED}self-signed certificate (_ssl.c:1006)": f"{UNTRUSTED}self-signed certificate (_ssl.c:1006)",
    f"{UNTRUSTED}{POOL} (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
    "certificate verify failed: self-signed certificate (_ssl.c:1006)')))": (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    ),
}


def step(client: str, why: str) -> AccountStep:
    return AccountStep(client, AccountAct.UNREACHED, PAGE, detail=why)


@pytest.mark.parametrize(("said", "why"), UV.values(), ids=UV)
def test_uv_tells_the_page_and_the_deepest_cause(said: str, why: str) -> None:
    assert list(unreached_in(f"before\n{said}after\n")) == [step("uv", why)]


@pytest.mark.parametrize(("said", "why"), PIP.items())
def test_pip_tells_the_page_and_the_innermost_cause(said: str, why: str) -> None:
    assert list(steps_of(f"Could not fetch URL {PAGE}: {said} - skipping")) == [step("pip", why)]


def test_a_page_that_answered_is_none_that_was_not_reached() -> None:
    refused = "403 Client Error: Forbidden for url: https://feed.example/simple/x/"

    (told,) = steps_of(f"Could not fetch URL {PAGE}: {refused} - skipping")

    assert (told.act, told.status) == (AccountAct.REFUSED, 403)
