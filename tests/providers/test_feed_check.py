"""What a feed's answer to a tried credential proves, and that the credential goes to no other host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.credential import Credential, Secret
from broker.core.feeds import Feed, Realm
from broker.core.urls import parse_url
from broker.core.verdict import Verdict
from broker.host.http import Http
from broker.providers.feed_check import verify_with
from tests.fakes import faults
from tests.fakes.connect_proxy import Conduct
from tests.fakes.fixtures import authority, proxy
from tests.fakes.http1 import Response

if TYPE_CHECKING:
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.http1 import Answer, Request

__all__ = ["authority", "proxy"]

FEED = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
CREDENTIAL = Credential("ci", Secret("correct-horse"), None, "file:~/pw")
PAGE = (("Content-Type", "text/html"),)

VERDICTS = {
    "a page": (Response(200, b"<!DOCTYPE html>", PAGE), Verdict.ACCEPTED),
    "another spelling": (faults.redirect("https://feed.example/corp/simple", 301), Verdict.ACCEPTED),
    "another host": (faults.redirect("https://cdn.example/x?sig=y", 307), Verdict.UNKNOWN),
    "another scheme": (faults.redirect("http://feed.example/corp/simple", 301), Verdict.ACCEPTED),
    "not modified": (Response(304), Verdict.ACCEPTED),
    "a redirect to nowhere": (Response(302), Verdict.ACCEPTED),
    "Azure's sign-in": (
        faults.redirect("https://spsprodcus3.vssps.visualstudio.com/_signin?realm=dev.azure.com", 302),
        Verdict.UNAUTHORISED,
    ),
    "GitLab's sign-in": (faults.redirect("/users/sign_in", 302), Verdict.UNAUTHORISED),
    "Entra": (
        faults.redirect("https://login.microsoftonline.com/t/oauth2/v2.0/authorize?x=y", 302),
        Verdict.UNAUTHORISED,
    ),
    "Keycloak": (
        faults.redirect(
            "https://id.example/realms/r/protocol/openid-connect/auth?client_id=x&response_type=code"
        ),
        Verdict.UNAUTHORISED,
    ),
    "an OpenID sign-in of the feed's own host": (
        faults.redirect("/auth?response_type=code&client_id=x&redirect_uri=y", 303),
        Verdict.UNAUTHORISED,
    ),
    "Google": (
        faults.redirect("https://accounts.google.com/o/oauth2/v2/auth?client_id=x&response_type=code"),
        Verdict.UNAUTHORISED,
    ),
    "a SAML request": (
        faults.redirect("https://idp.example/app/x?SAMLRequest=fZ&RelayState=y"),
        Verdict.UNAUTHORISED,
    ),
    "AD FS": (
        faults.redirect("https://adfs.example/adfs/ls/?wa=wsignin1.0&wtrealm=urn:x"),
        Verdict.UNAUTHORISED,
    ),
    "Artifactory's sign-in": (faults.redirect("/ui/login/", 302), Verdict.UNAUTHORISED),
    "Okta": (faults.redirect("https://acme.okta.com/login/login.htm?fromURI=x"), Verdict.UNAUTHORISED),
    "oauth2-proxy": (faults.redirect("/oauth2/start?rd=%2Fsimple%2F"), Verdict.UNAUTHORISED),
    "Cloudflare Access": (
        faults.redirect("https://acme.cloudflareaccess.com/cdn-cgi/access/login/feed.example?kid=x"),
        Verdict.UNAUTHORISED,
    ),
    "a portal of the network": (faults.redirect("https://portal.example/?orig=x"), Verdict.UNKNOWN),
    "an address that is none": (faults.redirect("https://[::1"), Verdict.UNKNOWN),
    "Azure's sign-in page": (
        Response(203, b"<html>", (*PAGE, ("X-TFS-ProcessId", "0"))),
        Verdict.UNAUTHORISED,
    ),
    "through a proxy that rewrites": (Response(203, b"<html>", PAGE), Verdict.ACCEPTED),
    "a challenge of Cloudflare's": (
        Response(403, b"<html>", (*PAGE, ("cf-mitigated", "challenge"))),
        Verdict.UNKNOWN,
    ),
    "a page of squid's": (
        Response(403, b"<html>", (*PAGE, ("X-Squid-Error", "ERR_ACCESS_DENIED 0"))),
        Verdict.UNKNOWN,
    ),
    "a page of the feed's": (Response(403, b"<html>", PAGE), Verdict.FORBIDDEN),
    "a status of a proxy's": (
        Response(403, b"", (("Proxy-Status", "gate.example; error=http_request_denied"),)),
        Verdict.UNKNOWN,
    ),
    "401 with words that are none": (
        Response(401, b"", (("WWW-Authenticate", 'Bearer claims="x'),)),
        Verdict.UNAUTHORISED,
    ),
    "401": (Response(401), Verdict.UNAUTHORISED),
    "403": (Response(403), Verdict.FORBIDDEN),
    "404": (Response(404), Verdict.UNKNOWN),
    "407": (Response(407), Verdict.UNKNOWN),
    "429": (Response(429), Verdict.UNKNOWN),
    "503": (Response(503), Verdict.UNKNOWN),
    "huge headers": (Response(401, b"", (("X-Much", "x" * 300_000),)), Verdict.UNKNOWN),
    "garbage": (faults.html_garbage(400), Verdict.UNKNOWN),
}


@pytest.fixture
def trust(proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> ConnectProxy:
    for name, value in proxy.environment({}).items():
        monkeypatch.setenv(name, value)
    return proxy


@pytest.mark.parametrize("name", VERDICTS)
async def test_answer_proves_no_more_than_it_says(trust: ConnectProxy, name: str) -> None:
    answer, verdict = VERDICTS[name]
    trust.route("feed.example", lambda _: answer)
    async with Http() as http:
        told = await verify_with(lambda: http)(FEED, CREDENTIAL)

    assert told.verdict is verdict
    assert told.claims is None


WORDS: dict[str, tuple[Answer, str]] = {
    "401": (Response(401), "the feed said 401: it does not take it"),
    "a sign-in page": (
        faults.redirect("/users/sign_in", 302),
        "the feed said 302, a page to sign in at: it does not take it",
    ),
    "403": (Response(403), "the feed said 403: the right to read it is missing"),
    "403 with a reason": (faults.forbidden(), 'the feed said 403: "TF400813: The user is not authorized'),
    "404": (Response(404), "the feed said 404, which is neither yes nor no"),
    "503": (Response(503), "the feed could not be asked: feed.example answers 503"),
    "a page of squid's": (
        Response(403, b"<html>", (("X-Squid-Error", "ERR_ACCESS_DENIED 0"),)),
        "the feed could not be asked: a proxy on the way answers 403",
    ),
    "a reset": (faults.reset(), "the feed could not be asked: feed.example hung up without a whole answer"),
    "403 that breaks off": (
        faults.half_answer(403),
        "the feed said 403: the right to read it is missing",
    ),
}


@pytest.mark.parametrize("name", WORDS)
async def test_what_a_feed_said_is_told_in_its_words(trust: ConnectProxy, name: str) -> None:
    answer, words = WORDS[name]
    trust.route("feed.example", lambda _: answer)
    async with Http() as http:
        told = await verify_with(lambda: http)(FEED, CREDENTIAL)

    assert told.words.startswith(words)


async def test_a_feed_that_cannot_be_reached_says_why(trust: ConnectProxy) -> None:
    trust.conduct("feed.example", Conduct.EXPIRED_CERTIFICATE)
    trust.route("feed.example", lambda _: Response(200))
    async with Http() as http:
        told = await verify_with(lambda: http)(FEED, CREDENTIAL)

    assert told.words == (
        "the feed could not be asked: feed.example cannot be reached: its certificate is not trusted "
        "(certificate has expired)"
    )


async def test_credential_goes_to_no_host_that_the_feed_redirects_to(trust: ConnectProxy) -> None:
    elsewhere: list[Request] = []

    def note(request: Request) -> Answer:
        elsewhere.append(request)
        return Response(200)

    trust.route("cdn.example", note)
    trust.route("feed.example", lambda _: faults.redirect("https://cdn.example/simple/", 302))
    async with Http() as http:
        await verify_with(lambda: http)(FEED, CREDENTIAL)

    assert elsewhere == []


async def test_a_feed_below_a_path_named_login_may_redirect_within_it(trust: ConnectProxy) -> None:
    feed = Feed("corp", FEED.realm, (parse_url("https://feed.example/login/simple/"),))
    trust.route("feed.example", lambda _: faults.redirect("https://feed.example/login/simple", 301))
    async with Http() as http:
        told = await verify_with(lambda: http)(feed, CREDENTIAL)

    assert told.verdict is Verdict.ACCEPTED


async def test_a_feed_without_a_trusted_certificate_proves_nothing(
    proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in proxy.environment({}).items():
        if name.lower().endswith("_proxy"):
            monkeypatch.setenv(name, value)
    proxy.route("feed.example", lambda _: Response(401))
    async with Http() as http:
        told = await verify_with(lambda: http)(FEED, CREDENTIAL)

    assert told.verdict is Verdict.UNKNOWN
