"""Addresses put together from their parts, and what a part can be used as."""

import re
from urllib.parse import unquote

from broker.core.feeds import Realm, Recognised
from broker.core.urls import DEFAULT_PORTS, Origin, Url

PORT = DEFAULT_PORTS["https"]

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")


def https_url(host: str, *segments: str) -> Url:
    """The address of a path on a host, on the default port."""
    return Url(Origin("https", host, PORT), segments)


def url_below(url: Url, *segments: str) -> Url:
    """The address with more segments at its end."""
    return Url(url.origin, (*url.segments, *segments))


def plain_name(segment: str) -> str:
    """A path segment in letters, digits, `.`, `_` and `-`; maybe empty."""
    return _UNNAMED.sub("-", unquote(segment)).strip("-.")


def is_number(segment: str) -> bool:
    """True for digits or a GUID: nothing that a person would call a feed."""
    return segment.isdecimal() or GUID.fullmatch(segment) is not None


def one_repository(
    realm: Realm, roots: tuple[Url, ...], path: tuple[str, ...], depth: int, otherwise: str
) -> Recognised:
    """A repository whose pages and files lie below `path`; the whole realm when the path is shorter."""
    if len(path) < depth:
        return Recognised(realm, otherwise, roots, roots)
    spellings = tuple(url_below(root, *path) for root in roots)
    return Recognised(
        realm, plain_name(path[-1]) or otherwise, (url_below(spellings[0], "simple"), *spellings), roots
    )
