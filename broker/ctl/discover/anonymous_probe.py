"""How an index answers one request without a credential: that tells public from private."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from broker.ctl.discover.classify import FeedStanding, FoundFeed
from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.recognise.kinds import ARTIFACTORY, GITLAB, NEXUS

LIMIT_S = 5.0
"""An index behind a VPN that is off does not refuse, it is silent."""

ASKED_MAX = 16
"""More addresses than anybody's files have; the others stay unsure."""

REALMS = {"Artifactory": ARTIFACTORY, "Sonatype Nexus": NEXUS, "GitLab": GITLAB}
"""How the realms begin that these servers name in WWW-Authenticate."""


def with_answers(found_feeds: Sequence[FoundFeed], ca: Path | None) -> list[FoundFeed]:
    """The found feeds; those that were unsure are asked without a credential, all at once."""
    unsure = [each for each in found_feeds if each.standing is FeedStanding.UNSURE][:ASKED_MAX]
    if not unsure:
        return list(found_feeds)
    told = dict(zip(map(id, unsure), asyncio.run(_asked(unsure, ca)), strict=True))
    return [told.get(id(each), each) for each in found_feeds]


def read_answer(found: FoundFeed, response: Response) -> FoundFeed:
    """What the answer means."""
    if response.status in {401, 403}:
        challenges = " ".join(response.values("www-authenticate"))
        provider = next((name for realm, name in REALMS.items() if f'"{realm}' in challenges), None)
        return replace(
            found, standing=FeedStanding.TO_ADD, provider=provider, why="asks strangers for a password"
        )
    if 200 <= response.status < 300:  # noqa: PLR2004 - RFC 9110 section 15.3
        return replace(found, standing=FeedStanding.PUBLIC, why="answers strangers")
    return replace(found, why=f"answers a stranger with {response.status}")


async def _asked(found_feeds: Sequence[FoundFeed], ca: Path | None) -> list[FoundFeed]:
    async with Http(ca) as http:
        return await asyncio.gather(*(_ask(found, http) for found in found_feeds))


async def _ask(found: FoundFeed, http: Http) -> FoundFeed:
    try:
        response = await http.send(Request("GET", str(found.url)), deadline_s=LIMIT_S, head_only=True)
    except Unreachable as error:
        return replace(found, why=error.reason)
    return read_answer(found, response)
