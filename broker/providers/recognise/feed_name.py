"""What a feed is called where nobody has named it."""

from broker.core.urls import Url
from broker.providers.recognise.address_parts import is_number, plain_name
from broker.providers.recognise.services import recognise

_LAYOUT = frozenset(
    {
        *("-", "+simple", "simple", "index", "root", "files", "download", "upload", "legacy", "packages"),
        *("api", "v1", "v2", "v3", "v4", "pypi", "python", "artifactory", "nexus"),
        *("group", "groups", "project", "projects", "repo", "repos", "repository", "repositories"),
    }
)
"""Path segments that say how a server is laid out, not which of its feeds is meant."""


def default_name(url: Url) -> str:
    """What a person would call the feed, in letters, digits, `.`, `_` and `-`; never empty, maybe taken."""
    recognised = recognise(url)
    if recognised is not None:
        return recognised.name
    for segment in reversed(url.segments):
        name = plain_name(segment)
        if name and segment.lower() not in _LAYOUT and not is_number(segment):
            return name
    first_label, _, rest = url.origin.host.partition(".")
    return plain_name(url.origin.host if is_number(first_label) or not rest else first_label) or "feed"
