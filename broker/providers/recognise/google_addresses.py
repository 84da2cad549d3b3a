"""Google Artifact Registry: `LOCATION-python.pkg.dev/PROJECT/REPOSITORY/...`."""

import re

from broker.core.feeds import Realm, Recognised
from broker.providers.recognise.address_parts import https_url, one_repository
from broker.providers.recognise.kinds import GOOGLE

GOOGLE_HOST = re.compile(r"(?P<location>[a-z][a-z0-9-]*)-(?:python|pypi)\.pkg\.dev")


def google_feed(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`LOCATION-python.pkg.dev/[DOMAIN/]PROJECT/REPOSITORY/...`; one token opens every location."""
    found = GOOGLE_HOST.fullmatch(host)
    if found is None:
        return None
    depth = 3 if segments and "." in segments[0] else 2  # domains have dots, project ids never
    return one_repository(
        Realm(GOOGLE, "pkg.dev"), (https_url(host),), segments[:depth], depth, found["location"]
    )
