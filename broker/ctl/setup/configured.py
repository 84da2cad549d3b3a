"""What the configuration's files say, as far as brokerctl looks; whether it is right, the daemon tells."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.ctl.outcome import Trouble
from broker.ctl.setup import files
from broker.ctl.setup.places import Places


@dataclass(frozen=True, slots=True)
class Configured:
    """The [[feed]] tables of site and user in order, the certificate authority, and [env] of all files."""

    feeds: Sequence[Mapping[str, Any]] = ()
    ca: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


def configured(places: Places) -> Configured:
    """The files laid over each other; one that cannot be read says nothing."""
    feeds: list[Mapping[str, Any]] = []
    env: dict[str, str] = {}
    ca = ""
    paths = places.configuration
    for path in (paths.site, paths.env, paths.user):
        try:
            found = tomllib.loads(files.text_of(path))
        except (tomllib.TOMLDecodeError, Trouble):
            continue
        tables, variables = found.get("feed"), found.get("env")
        feeds += [
            feed
            for feed in (tables if isinstance(tables, list) else [])
            # a feed of the site's with `allow` is the system broker's
            if isinstance(feed, dict) and not (path == paths.site and "allow" in feed)
        ]
        env |= {str(k): str(v) for k, v in variables.items()} if isinstance(variables, dict) else {}
        ca = str(found.get("ca", ca))
    return Configured(feeds, ca, env)
