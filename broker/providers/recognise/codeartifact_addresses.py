"""AWS CodeArtifact: `DOMAIN-OWNER.d.codeartifact.REGION.amazonaws.com/pypi/REPOSITORY/...`."""

import re

from broker.core.feeds import Realm, Recognised
from broker.providers.recognise.address_parts import https_url, one_repository, plain_name, url_below
from broker.providers.recognise.kinds import CODEARTIFACT

_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+"

CODEARTIFACT_HOST = re.compile(
    r"(?P<domain>[a-z][a-z0-9-]*)-(?P<owner>[0-9]{12})\."
    rf"(?:d\.codeartifact\.(?P<region>{_REGION})\.(?P<suffix>amazonaws\.com(?:\.cn)?)"
    rf"|codeartifact\.(?P<dual>{_REGION})\.on\.aws)"
)
"""`get-repository-endpoint` answers the first form for `ipv4` and the second, without `.d.`, for `dualstack`
(seen on live domains: keyrings.codeartifact#36, codeartifact-gradle-plugin#822). The suffix of China is
botocore's (`partitions.json`); no dual-stack form of it is documented.
"""

_VPC_HOST = re.compile(rf"vpce-[a-z0-9-]+\.d\.codeartifact\.(?P<region>{_REGION})\.vpce\.amazonaws\.com")

_DOMAIN = re.compile(r"(?P<domain>[a-z][a-z0-9-]{0,48}[a-z0-9])-(?P<owner>[0-9]{12})")
"""The host and the path's third segment at a VPC endpoint without private DNS (CodeArtifact's user guide,
"Use CodeArtifact from a VPC").
"""

CODEARTIFACT_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ap-northeast-1", "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3"),
)
"""AWS General Reference, "AWS CodeArtifact endpoints and quotas"; botocore's list is the same. Hosts are
recognised by shape in any region; the authority of a gateway may sign for these without a configured feed.
"""

_CHINA = "amazonaws.com.cn"


def codeartifact_feed(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`DOMAIN-OWNER.d.codeartifact.REGION...`; a domain may have hyphens, so the last one parts the two."""
    found = CODEARTIFACT_HOST.fullmatch(host)
    if found is None:
        return _in_vpc(host, segments)
    region, is_chinese = found["region"] or found["dual"], found["suffix"] == _CHINA
    if is_chinese != region.startswith("cn-"):
        return None
    name = f"{found['domain']}-{found['owner']}"
    hosts = [f"{name}.d.codeartifact.{region}.{_CHINA if is_chinese else 'amazonaws.com'}"]
    hosts += [] if is_chinese else [f"{name}.codeartifact.{region}.on.aws"]
    roots = tuple(https_url(each) for each in sorted(hosts, key=lambda each: each != host))
    realm = Realm(CODEARTIFACT, f"{found['domain']}/{found['owner']}/{region}")
    repository = segments[:2] if segments[:1] == ("pypi",) else ()
    return one_repository(realm, roots, repository, 2, found["domain"])


def _in_vpc(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`https://vpce-....vpce.amazonaws.com/pypi/d/DOMAIN-OWNER/REPOSITORY/`, a door to the same domain."""
    found = _VPC_HOST.fullmatch(host)
    if found is None or segments[:2] != ("pypi", "d") or len(segments) == 2:  # noqa: PLR2004 - `pypi` and `d`
        return None
    named = _DOMAIN.fullmatch(segments[2])
    if named is None:
        return None
    realm = Realm(CODEARTIFACT, f"{named['domain']}/{named['owner']}/{found['region']}")
    roots = (https_url(host, *segments[:3]),)
    if len(segments) == 3:  # noqa: PLR2004 - no repository behind the domain
        return Recognised(realm, named["domain"], roots, roots)
    spelling = url_below(roots[0], segments[3])
    return Recognised(
        realm, plain_name(segments[3]) or named["domain"], (url_below(spelling, "simple"), spelling), roots
    )


def codeartifact_region(host: str) -> str | None:
    """The region that the host of a VPC endpoint names."""
    found = _VPC_HOST.fullmatch(host)
    return None if found is None else found["region"]
