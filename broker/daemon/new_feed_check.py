"""A program of its own: whether a configuration, as `brokerctl add` would write it, gives its new feed a
credential on any machine.

It reads the configuration as the daemon does, by the same functions, for brokerctl loads no provider.
Standard input is a JSON object with `text`, what the user's file would say, `shown`, how that file is called,
`site`, `env` and `user`, the paths, and `name`, the feed. Standard output is an object that is empty, or says
in `detail` what is wrong and in `keys` which keys of the feed are missing. It asks no server.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from broker.config.files import ConfigFiles
from broker.config.load import load
from broker.config.model import Layer
from broker.core.failures import BadConfiguration
from broker.core.feeds import Match
from broker.daemon.built_in_providers import PROVIDERS
from broker.daemon.feed_table_builder import providers_of, schema_of, table_of
from broker.daemon.plugins import with_plugins
from broker.host.clock import SystemClock
from broker.host.http import Http
from broker.providers.protocol import JudgesAddresses, ProviderContext, Unworkable


def fault_of(asked: Mapping[str, str], environ: Mapping[str, str]) -> Unworkable | None:
    """Why the feed can have no credential, or why the daemon would refuse the whole; None: neither."""
    classes = with_plugins(PROVIDERS)
    files = ConfigFiles(Path(asked["site"]), Path(asked["env"]), Path(asked["user"]))
    try:
        layers = [Layer(each.text, str(each.path), each.role) for each in files.read(("site", "env"))]
        config = load([*layers, Layer(asked["text"], asked["shown"])], schema_of(classes))
        context = ProviderContext(
            Http(ca=config.ca), {**environ, **config.env}, lambda: SystemClock().now().wall
        )
        providers = providers_of(classes, config, context)
        table = table_of(config, providers)
    except BadConfiguration as failure:
        return Unworkable(failure.detail)
    added = next(feed for feed in config.feeds if feed.name == asked["name"])
    provider = providers[added.provider]
    match table.match(added.url):
        case Match(feed=feed) if isinstance(provider, JudgesAddresses):
            return provider.unworkable(feed)
    return None


def main() -> None:
    """Answer one question."""
    logging.disable()  # what the daemon would log is not the answer
    fault = fault_of(json.loads(sys.stdin.read()), os.environ)
    json.dump({} if fault is None else {"detail": fault.detail, "keys": fault.keys}, sys.stdout)


if __name__ == "__main__":
    main()
