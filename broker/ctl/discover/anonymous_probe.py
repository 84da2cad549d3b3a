"""What an index says to a stranger: one request without any credential tells public from private."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from broker.ctl.discover.classify import Sighting, Standing
from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.recognise import ARTIFACTORY, GITLAB, NEXUS

LIMIT_S = 5.0
"""An index behind a VPN that is off does not refuse, it is silent."""

ASKED_MAX = 16
"""More addresses than anybody's files have; the others stay unsure."""

REALMS = {"Artifactory": ARTIFACTORY, "Sonatype Nexus": NEXUS, "GitLab": GITLAB}
"""How the realms begin that these servers name in WWW-Authenticate."""


def with_answers(sightings: Sequence[Sighting], ca: Path | None) -> list[Sighting]:
    """The sightings, with what those that were unsure say to a stranger. All are asked at once."""
    unsure = [each for each in sightings if each.standing is Standing.UNSURE][:ASKED_MAX]
    if not unsure:
        return list(sightings)
    told = dict(zip(map(id, unsure), asyncio.run(_asked(unsure, ca)), strict=True))
    return [told.get(id(each), each) for each in sightings]


def read_answer(sighting: Sighting, response: Response) -> Sighting:
    """What the answer means."""
    if response.status in {401, 403}:
        challenges = " ".join(response.values("www-authenticate"))
        provider = next((name for realm, name in REALMS.items() if f'"{realm}' in challenges), None)
        return replace(
            sighting, standing=Standing.TO_ADD, provider=provider, why="asks strangers for a password"
        )
    if 200 <= response.status < 300:  # noqa: PLR2004 - RFC 9110 section 15.3
        return replace(sighting, standing=Standing.PUBLIC, why="answers strangers")
    return replace(sighting, why=f"answers a stranger with {response.status}")


async def _asked(sightings: Sequence[Sighting], ca: Path | None) -> list[Sighting]:
    async with Http(ca) as http:
        return await asyncio.gather(*(_ask(sighting, http) for sighting in sightings))


async def _ask(sighting: Sighting, http: Http) -> Sighting:
    try:
        response = await http.send(Request("GET", str(sighting.url)), deadline_s=LIMIT_S, head_only=True)
    except Unreachable as error:
        return replace(sighting, why=error.reason)
    return read_answer(sighting, response)
