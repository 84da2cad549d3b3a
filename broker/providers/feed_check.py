"""A credential tried once against its feed: one GET of the configured address, whose body is never read."""

import base64
from collections.abc import Awaitable, Callable

from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.core.verdict import Verdict
from broker.host.http import Http, Request
from broker.host.http_errors import Unreachable

VERDICTS = {401: Verdict.UNAUTHORISED, 403: Verdict.FORBIDDEN}


def verify_with(http: Callable[[], Http]) -> Callable[[Feed, Credential], Awaitable[Verdict]]:
    """The trial by `http()`, asked for each time: a reload may have made another."""

    async def verify_at(feed: Feed, credential: Credential) -> Verdict:
        pair = f"{credential.username}:{credential.secret.reveal()}".encode()
        # Artifact feeds answer HTML, JSON or a redirect: any of them is a yes, and no redirect is followed.
        request = Request(
            "GET", str(feed.url), (("Authorization", f"Basic {base64.b64encode(pair).decode()}"),)
        )
        try:
            response = await http().send(request, head_only=True)
        except Unreachable:
            return Verdict.UNKNOWN
        if response.status in VERDICTS:
            return VERDICTS[response.status]
        return Verdict.ACCEPTED if response.status < 400 else Verdict.UNKNOWN  # noqa: PLR2004 - RFC 9110's classes

    return verify_at
