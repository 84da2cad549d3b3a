"""Whether a new feed can have a credential at all: the daemon's own reading, by a child program.

brokerctl loads no provider; `broker/daemon/new_feed_check.py` does.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from broker.config.paths import ConfigPaths
from broker.config.toml_writer import toml_lines
from broker.core.urls import parse_url
from broker.ctl.add.secret_location import secret_location
from broker.ctl.command_error import CommandError
from broker.ctl.setup.user_dirs import UserDirs

CHECK = "broker.daemon.new_feed_check"
OPTIONS = ("also", "provider", "username", "secret", "tenant")
"""Keys that `brokerctl add` has an option for."""

LIMIT_S = 30.0
"""Python and the providers load in a second or two; a machine that is busy takes longer."""


def check_feed(text: str, paths: ConfigPaths, shown: str, keys: Mapping[str, Any], *, lines: int) -> None:
    """Raise CommandError where the feed of `keys`, the last in `text`, cannot work.

    `lines` of `text` are in the file already: a fault in them is told with its place.
    """
    asked = {
        "text": text,
        "shown": shown,
        "site": str(paths.site),
        "env": str(paths.env),
        "user": str(paths.user),
        "name": str(keys["name"]),
    }
    fault = answer_to(asked)
    if not fault:
        return
    detail = str(fault["detail"])
    placed = re.match(rf"{re.escape(shown)}, line ([0-9]+): ", detail)
    if placed and int(placed[1]) > lines:
        detail = detail[placed.end() :]
    lacking = [str(key) for key in fault.get("keys", ())]
    raise CommandError(f"{detail} (nothing was written)", hint=_line(keys, lacking) if lacking else None)


def answer_to(asked: Mapping[str, str]) -> dict[str, Any]:
    """What the child says. Raises CommandError where it says nothing."""
    try:
        finished = subprocess.run(
            (sys.executable, "-P", "-m", CHECK),
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=LIMIT_S,
        )
        return dict(json.loads(finished.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        raise CommandError(
            "the providers of this installation cannot be asked about the feed (nothing was written)",
            hint="brokerctl doctor",
        ) from None


def _line(keys: Mapping[str, Any], lacking: Sequence[str]) -> str:
    """The command with the keys that lack: but for a secret's place, their values are the user's to know."""
    words = ["brokerctl", "add", str(keys["url"]), "--name", str(keys["name"])]
    for key, value in keys.items():
        if value is None or key in {"url", "name"}:
            continue
        for each in value if key == "also" else (value,):
            words += (
                [f"--{key}", str(each)]
                if key in OPTIONS
                else [toml_lines({key: each}).strip().replace(" = ", "=", 1)]
            )
    for key in lacking:
        if key == "secret":
            url = parse_url(str(keys["url"]))
            words += ["--secret", secret_location(UserDirs.here()).suggested(url.origin.host, keys["name"])]
        else:
            words.append(f"{key}={key.upper()}")
    return shlex.join(words)
