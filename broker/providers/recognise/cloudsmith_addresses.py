"""Cloudsmith: `dl.cloudsmith.io/basic/OWNER/REPOSITORY/...` and its place for uploads."""

import re

from broker.core.feeds import PUBLISH, READ, Realm, Recognised
from broker.providers.recognise.address_parts import https_url, plain_name, url_below
from broker.providers.recognise.kinds import CLOUDSMITH

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def cloudsmith_feed(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`dl.cloudsmith.io/basic/OWNER/REPOSITORY/python/simple/`, and `python.cloudsmith.io/OWNER/REPOSITORY/`,
    which takes uploads.

    Cloudsmith's "Python repository" page. `/public/` wants no credential, and where a token stands in place
    of `basic` the address brings its own.
    """
    match host, segments:
        case "dl.cloudsmith.io", ("basic", owner, *rest):
            repository = rest[0] if rest else None
        case "python.cloudsmith.io", (owner, *rest):
            repository = rest[0] if rest else None
        case _:
            return None
    if not _SLUG.fullmatch(owner):
        return None
    realm = Realm(CLOUDSMITH, owner.lower())
    roots = (https_url("dl.cloudsmith.io", "basic", owner), https_url("python.cloudsmith.io", owner))
    if repository is None:
        return Recognised(realm, owner.lower(), roots, roots)
    below = tuple(url_below(root, repository) for root in roots)
    scope = PUBLISH if host == "python.cloudsmith.io" else READ
    prefixes = (url_below(below[0], "python", "simple"), *below)
    return Recognised(realm, plain_name(repository) or owner.lower(), prefixes, roots, scope)
