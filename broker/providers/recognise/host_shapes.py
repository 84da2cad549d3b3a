"""What the hosts of feeds look like, where the host alone names the provider."""

import re
from dataclasses import dataclass

from broker.providers.recognise.azure_addresses import INTERNAL, ORGANISATION, PRODUCTION
from broker.providers.recognise.codeartifact_addresses import CODEARTIFACT_HOST, CODEARTIFACT_REGIONS
from broker.providers.recognise.google_addresses import GOOGLE_HOST
from broker.providers.recognise.kinds import AZURE, CODEARTIFACT, GOOGLE


@dataclass(frozen=True, slots=True)
class HostShape:
    """What the hosts of a provider's feeds look like, whatever their path, and the domains they are in."""

    pattern: re.Pattern[str]
    domains: frozenset[str]


HOST_SHAPES = {
    AZURE: HostShape(
        re.compile(
            "|".join(
                f"{re.escape(ring.by_path)}|{ORGANISATION.pattern}\\.{re.escape(ring.by_name)}"
                for ring in (PRODUCTION, INTERNAL)
            )
        ),
        frozenset(host for ring in (PRODUCTION, INTERNAL) for host in (ring.by_path, ring.by_name)),
    ),
    GOOGLE: HostShape(GOOGLE_HOST, frozenset({"pkg.dev"})),
    CODEARTIFACT: HostShape(
        CODEARTIFACT_HOST,
        frozenset(
            f"codeartifact.{region}.{suffix}"
            for region in CODEARTIFACT_REGIONS
            for suffix in ("amazonaws.com", "on.aws")
        ),
    ),
}
"""By provider, where the host alone names it: who handles connections knows no path yet."""
