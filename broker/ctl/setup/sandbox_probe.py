"""The probe: tries from its own process what a broker would do, and prints the outcomes as one JSON object.

`python -m broker.ctl.setup.sandbox_probe` runs a private broker and signs in for every configured feed.
`setup` runs it in a unit with the sandbox and in one without: the sandbox broke whatever differs.
"""

import json
import os
import subprocess
import sys

import token_broker_client as client

from broker.ctl.api_client import FETCH_PATIENCE_S, feed_path
from broker.ctl.command_error import CommandError
from broker.ctl.config_view import variables_of
from broker.ctl.exec.private_broker import PrivateBroker, private_broker
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.sd_notify import Notifier

FINE = "fine"
BAD_CONFIGURATION = "bad-configuration"
OK = 200
AZ = ("az", "account", "show", "--output", "none")
"""Azure feeds need no configuration: what they need is an az that runs and is signed in."""

AZ_LIMIT_S = 30.0


def main() -> int:
    """Print the outcome of every sign-in by name, then notify systemd, which is on trial as well."""
    notifier = Notifier(os.environ)
    sys.stdout.write(json.dumps(outcomes()))
    sys.stdout.flush()
    notifier.ready("probed")
    return 0


def outcomes() -> dict[str, str]:
    """`fine` or the kind of failure, by feed; `az` and `brokerd` stand for themselves."""
    user_dirs = UserDirs.here()
    os.environ.update(variables_of("env", user_dirs.configuration))
    found: dict[str, str] = {}
    az = user_dirs.program(AZ[0])
    if az is not None:
        found["az"] = _az()
    try:
        with private_broker() as broker, broker.serving():
            status = broker.read("/v1/status")
            found["brokerd"] = FINE if status.get("error") is None else BAD_CONFIGURATION
            found |= {f"feed {feed['name']}": _sign_in(broker, feed["name"]) for feed in status["feeds"]}
    except CommandError as failure:
        found["brokerd"] = failure.detail
    return found


def _sign_in(broker: PrivateBroker, feed: str) -> str:
    try:
        answer = client.request(
            "POST", feed_path(feed, "refresh"), patience_s=FETCH_PATIENCE_S, path=broker.socket
        )
        return FINE if answer.status == OK else str(json.loads(answer.body).get("type"))
    except (client.BrokerError, OSError, ValueError) as error:
        return type(error).__name__


def _az() -> str:
    try:
        done = subprocess.run(
            AZ, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=AZ_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return FINE if done.returncode == 0 else f"ended with {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())
