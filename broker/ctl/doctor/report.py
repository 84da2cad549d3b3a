"""One page to paste for a colleague: the findings and what they rest on, without names or secrets."""

import platform
import re
from collections.abc import Sequence
from pathlib import Path

from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding
from broker.ctl.doctor.screen import screen
from broker.ctl.service import systemd
from broker.ctl.status.verb import tool_version

_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.[A-Za-z0-9.-]+)")
_USERINFO = re.compile(r"://[^/@\s]+@")
_GUID = re.compile(r"([0-9a-fA-F]{8})-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_TOKEN = re.compile(r"\b[A-Za-z0-9+_=-]{40,}(\.[A-Za-z0-9+_=-]{6,})*")


def report(context: DoctorContext, found: Sequence[Finding]) -> str:
    """The page."""
    manager = systemd.ask("systemctl", "--version").partition("\n")[0] or "no systemd"
    version, python = tool_version() or "unknown", platform.python_version()
    lines = [
        f"token-broker {version} · Python {python} · {platform.platform()}",
        manager,
        "",
        screen(found),
        "",
        *_feeds(context),
    ]
    return redacted("\n".join(lines), context.user_dirs.home)


def redacted(text: str, home: Path) -> str:
    """The text without userinfo, people's names, whole ids, the home's path, and what looks like a token."""
    text = text.replace(str(home), "~")
    text = _USERINFO.sub("://****@", text)
    text = _MAIL.sub(r"****@\1", text)
    text = _GUID.sub(r"\1-****", text)
    return _TOKEN.sub("****", text)


def _feeds(context: DoctorContext) -> list[str]:
    status = context.broker.status
    if status is None:
        return ["no broker answered"]
    return [
        f"{feed.name}: {feed.realm}, {feed.state}, {'usable' if feed.usable else 'not usable'}, "
        f"by {feed.source}, {feed.lookups} look-ups, {feed.fetches} fetches, {feed.error or 'no error'}"
        for feed in status.feeds
    ] or ["no feeds"]
