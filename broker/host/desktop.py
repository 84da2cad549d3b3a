"""A notice on the user's desktop, where there is one. A short-lived program shows it."""

import html
import sys
from collections.abc import Mapping

from broker.host.process import run
from broker.host.program_search import executable
from broker.host.run_failure import RunFailure

LIMIT_S = 5.0
"""A desktop that does not take a notice by then does not show it."""

OUTPUT_BYTES = 4096

OFF = "TOKEN_BROKER_NOTIFY"
"""`0` in this variable turns notices off."""

_SCRIPT = (
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
)


async def show(title: str, text: str, environ: Mapping[str, str]) -> bool:
    """Whether a desktop took the notice. Never raises; `environ` says where programs and the desktop are."""
    argv = notice(title, text, environ)
    if argv is None:
        return False
    try:
        return (await run(argv, env=environ, limit_s=LIMIT_S, output_bytes=OUTPUT_BYTES)).code == 0
    except RunFailure:
        return False


def notice(
    title: str, text: str, environ: Mapping[str, str], platform: str = sys.platform
) -> tuple[str, ...] | None:
    """The command that shows a notice, or None where there is no desktop or the user wants none."""
    if environ.get(OFF) == "0":
        return None
    path = environ.get("PATH", "")
    if platform == "darwin":
        return ("osascript", *_SCRIPT, title, text) if executable("osascript", path) else None
    if not environ.get("DBUS_SESSION_BUS_ADDRESS") or not executable("notify-send", path):
        return None
    # servers may read the text as markup (Desktop Notifications Specification 1.2, "Markup")
    return ("notify-send", "--app-name=token-broker", "--", title, html.escape(text, quote=False))
