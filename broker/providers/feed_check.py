"""A credential tried once against its feed: one GET of the configured address.

No body decides anything: that of a 403 is only looked at for the feed's reason.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit

from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.core.verdict import FeedAnswer, Verdict
from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.claims_challenge import claims_wanted
from broker.providers.refusal_words import refusal_words

SIGN_IN_PAGES = frozenset(
    {"_signin", "sign_in", "signin", "login", "authorize", "saml", "sso", "oauth2"},
)
"""Where a server leads a browser that it does not know: a segment of the path. `_signin` is Azure DevOps',
`users/sign_in` GitLab's, `oauth2/v2.0/authorize` Entra's, `ui/login` Artifactory's, `oauth2/start` that of
oauth2-proxy.
"""

SIGN_IN_REQUESTS: tuple[frozenset[str], ...] = (
    frozenset({"client_id", "response_type"}),
    frozenset({"SAMLRequest"}),
    frozenset({"wa", "wtrealm"}),
)
"""Names in the query of what asks for a sign-in, at whatever path: RFC 6749 section 4.1.1 and so OpenID
Connect, SAML 2.0 bindings section 3.4.4.1, WS-Federation 1.2 section 13.2.2.
"""

UNAUTHORISED, FORBIDDEN, PROXY_LOGIN, THROTTLED = 401, 403, 407, 429

SIGN_IN_TEXT = 203
"""Azure DevOps' status for its sign-in page in place of an answer (its REST API documentation)."""


def verify_with(http: Callable[[], Http]) -> Callable[[Feed, Credential], Awaitable[FeedAnswer]]:
    """The trial by `http()`, asked for each time: a reload may have made another."""

    async def verify_at(feed: Feed, credential: Credential) -> FeedAnswer:
        pair = f"{credential.username}:{credential.secret.reveal()}".encode()
        # No redirect is followed: the credential goes nowhere but to the feed.
        request = Request(
            "GET", str(feed.url), (("Authorization", f"Basic {base64.b64encode(pair).decode()}"),)
        )
        try:
            response = await http().send(request, head_only=True, glance_at={FORBIDDEN})
        except Unreachable as error:
            return FeedAnswer(Verdict.UNKNOWN, unasked=error.reason)
        answer = answer_of(str(feed.url), response)
        words = refusal_words(response, credential) if answer.verdict is Verdict.FORBIDDEN else None
        return answer if words is None else replace(answer, said=f'403: "{words}"')

    return verify_at


def answer_of(url: str, response: Response) -> FeedAnswer:
    """What the feed at `url` said.

    Feeds answer HTML, JSON or a redirect within their host: any of them is a yes. Being led to a sign-in page
    is a no. A status that others may have caused, or may have said in the feed's name, proves nothing.
    """
    status = response.status
    if _is_of_another(response):
        return FeedAnswer(Verdict.UNKNOWN, unasked=f"a proxy on the way answers {status}")
    if status in {PROXY_LOGIN, THROTTLED} or status >= 500:  # noqa: PLR2004 - RFC 9110's classes
        return FeedAnswer(Verdict.UNKNOWN, unasked=f"{urlsplit(url).hostname} answers {status}")
    verdict = _verdict_of(url, response)
    match verdict:
        case Verdict.ACCEPTED | Verdict.FORBIDDEN:
            return FeedAnswer(verdict)
        case Verdict.UNAUTHORISED if status != UNAUTHORISED:
            return FeedAnswer(verdict, said=f"{status}, a page to sign in at")
        case Verdict.UNAUTHORISED:
            return FeedAnswer(verdict, claims_wanted(response.values("www-authenticate")), said=str(status))
    return FeedAnswer(verdict, said=str(status))


def _verdict_of(url: str, response: Response) -> Verdict:
    match response.status:
        case status if status == UNAUTHORISED:
            return Verdict.UNAUTHORISED
        case status if status == FORBIDDEN:
            return Verdict.FORBIDDEN
        case status if status == SIGN_IN_TEXT:
            return Verdict.UNAUTHORISED if is_of_azure_devops(response) else Verdict.ACCEPTED
        case status if status // 100 == 3:  # noqa: PLR2004 - RFC 9110 section 15.4
            return _verdict_of_redirect(url, response.values("location"))
        case status if status < 400:  # noqa: PLR2004 - RFC 9110's classes
            return Verdict.ACCEPTED
    return Verdict.UNKNOWN


def is_of_azure_devops(response: Response) -> bool:
    """True where Azure DevOps answered and not a proxy on the way: it names the request in all its answers
    (X-VSS-E2EID, X-TFS-ProcessId and others: fluentmigrator#1101 shows those of a public feed).
    """
    return any(name.startswith(("x-vss-", "x-tfs-")) for name, _ in response.headers)


def _is_of_another(response: Response) -> bool:
    """True where a proxy on the way answered, and says so: squid by a header of its own, Cloudflare before a
    challenge for browsers ("Detect a Challenge Page response"), any other by RFC 9209.
    """
    return (
        bool(response.values("x-squid-error"))
        or "challenge" in response.values("cf-mitigated")
        or any("error=" in status for status in response.values("proxy-status"))
    )


def _verdict_of_redirect(url: str, places: Sequence[str]) -> Verdict:
    """What leading elsewhere says: to another host, for no sign-in, may be the network's own doing."""
    own = urlsplit(url)
    try:
        leads_to = [urlsplit(urljoin(url, place)) for place in places]
        leaves = any(there.hostname != own.hostname for there in leads_to)
    except ValueError:
        return Verdict.UNKNOWN
    if any(_asks_to_sign_in(there, own) for there in leads_to):
        return Verdict.UNAUTHORISED
    return Verdict.UNKNOWN if leaves else Verdict.ACCEPTED


def _asks_to_sign_in(there: SplitResult, own: SplitResult) -> bool:
    """True for a page where people sign in, and for the request that a server sends along to one."""
    asked = {part.partition("=")[0] for part in there.query.split("&")}
    is_page = bool(SIGN_IN_PAGES & (_segments(there.path) - _segments(own.path)))
    return is_page or any(names <= asked for names in SIGN_IN_REQUESTS)


def _segments(path: str) -> frozenset[str]:
    return frozenset(path.lower().split("/"))
