"""A credential tried once against its feed: one GET of the configured address, whose body is never read."""

import base64
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin, urlsplit

from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.core.verdict import FeedAnswer, Verdict
from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.claims_challenge import claims_wanted

SIGN_IN_PAGES = frozenset({"_signin", "sign_in", "signin", "login", "authorize", "saml", "sso"})
"""Where a server leads a browser that it does not know: a segment of the path. `_signin` is Azure DevOps',
`users/sign_in` GitLab's, `oauth2/v2.0/authorize` Entra's.
"""

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
            return answer_of(str(feed.url), await http().send(request, head_only=True))
        except Unreachable:
            return FeedAnswer(Verdict.UNKNOWN)

    return verify_at


def answer_of(url: str, response: Response) -> FeedAnswer:
    """What the feed at `url` said.

    Feeds answer HTML, JSON or a redirect: any of them is a yes, and only
    being led to a sign-in page is a no. A status that others may have caused proves nothing.
    """
    match response.status:
        case 401:
            return FeedAnswer(Verdict.UNAUTHORISED, claims_wanted(response.values("www-authenticate")))
        case 403:
            return FeedAnswer(Verdict.FORBIDDEN)
        case status if status == SIGN_IN_TEXT or status // 100 == 3:  # noqa: PLR2004 - RFC 9110 section 15.4
            return FeedAnswer(Verdict.UNAUTHORISED if _asks_to_sign_in(url, response) else Verdict.ACCEPTED)
        case status if status < 400:  # noqa: PLR2004 - RFC 9110's classes
            return FeedAnswer(Verdict.ACCEPTED)
    return FeedAnswer(Verdict.UNKNOWN)


def _asks_to_sign_in(url: str, response: Response) -> bool:
    """True for a 203 of Azure DevOps, and for a redirect to where people sign in."""
    if response.status == SIGN_IN_TEXT:
        return any(name.startswith(("x-vss-", "x-tfs-")) for name, _ in response.headers)
    try:
        places = [urlsplit(urljoin(url, place)).path for place in response.values("location")]
    except ValueError:
        return False
    own = _segments(urlsplit(url).path)
    return any(SIGN_IN_PAGES & (_segments(place) - own) for place in places)


def _segments(path: str) -> frozenset[str]:
    return frozenset(path.lower().split("/"))
