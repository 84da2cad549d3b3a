"""The line that adds a feed: all that was typed, and what it lacks."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from broker.config.toml_writer import toml_lines
from broker.core.urls import parse_url
from broker.ctl.add.secret_location import secret_location
from broker.ctl.setup.user_dirs import UserDirs
from broker.providers.recognise.feed_name import default_name

OPTIONS = ("name", "also", "provider", "username", "secret", "tenant")
"""Keys that `brokerctl add` has an option for."""


def whole_line(keys: Mapping[str, Any], lacking: Sequence[str], *, config: str | None) -> str:
    """The command with the keys that lack: but for a secret's place, their values are the user's to know.

    `config` is what was typed as the file.
    """
    url = parse_url(str(keys["url"]))
    name = str(keys["name"])
    words = ["brokerctl", "add", str(url)]
    for key, value in keys.items():
        if value is None or key == "url" or (key == "name" and name == default_name(url)):
            continue
        for each in value if key == "also" else (value,):
            words += (
                [f"--{key}", str(each)]
                if key in OPTIONS
                else [toml_lines({key: each}).strip().replace(" = ", "=", 1)]
            )
    for key in sorted(lacking, key="username".__ne__):  # as people say it: who, then how
        if key == "secret":
            words += ["--secret", secret_location(UserDirs.here()).suggested(url.origin.host, name)]
        else:
            words += ["--username", "NAME"] if key == "username" else [f"{key}={key.upper()}"]
    return shlex.join([*words, *(("--config", config) if config is not None else ())])
