"""Whether a new feed can have a credential at all: the daemon's own reading, by a child program.

brokerctl loads no provider; `broker/daemon/new_feed_check.py` does.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from broker.config.paths import ConfigPaths
from broker.ctl.add.whole_line import whole_line
from broker.ctl.command_error import CommandError

CHECK = "broker.daemon.new_feed_check"
LIMIT_S = 30.0
"""Python and the providers load in a second or two; a machine that is busy takes longer."""


class RefusedKeyError(CommandError):
    """The value of a key of the new feed cannot be: `said` is why."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(f"{said} (nothing was written)")
        self.key = key
        self.said = said


def check_feed(
    text: str, paths: ConfigPaths, shown: str, keys: Mapping[str, Any], *, lines: int, config: str | None
) -> None:
    """Raise CommandError where the feed of `keys`, the last in `text`, cannot work; for a value of its own
    RefusedKeyError.

    `lines` of `text` are in the file already: a fault in them is told with its place. `config` is what was
    typed as the file.
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
        key = text.split("\n")[int(placed[1]) - 1].partition("=")[0]
        raise RefusedKeyError(key.strip(), detail[placed.end() :])
    lacking = [str(key) for key in fault.get("keys", ())]
    hint = whole_line(keys, lacking, config=config) if lacking else None
    raise CommandError(f"{detail} (nothing was written)", hint=hint)


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
