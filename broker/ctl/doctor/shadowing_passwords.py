"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from broker.core.secret_source import NetrcSecret, sources_of
from broker.core.urls import printable
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning

STORE = "credentials.toml"
_MACHINE = re.compile(r"(?:^|(?<=\s))(?:machine\s+(\S+)|(default))(?=\s|$)")


def netrc_shadows(context: DoctorContext) -> Iterator[Finding]:
    """A netrc entry for a feed's host: uv sends it and never asks; pip asks only after it failed."""
    path = Path(context.user_dirs.environ.get("NETRC") or context.user_dirs.home / ".netrc")
    hosts = {
        url.origin.host
        for feed in context.feeds
        if NetrcSecret() not in sources_of(feed.settings)
        for url in feed.urls
    }
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return
    entries = list(_MACHINE.finditer(text))
    for number, entry in enumerate(entries):
        host = entry[1] or entry[2]
        if host not in hosts and host != "default":
            continue
        end = entries[number + 1].start() if number + 1 < len(entries) else len(text.rstrip())
        first = text.count("\n", 0, entry.start()) + 1
        last = text.count("\n", 0, len(text[:end].rstrip())) + 1
        lines = f"line {first}" if first == last else f"lines {first}-{last}"
        said = f"{context.user_dirs.shown(path)} has {host}: uv takes it before any keyring"
        if hosts:
            yield warning("netrc", said, f"remove {lines} of {context.user_dirs.shown(path)}")


def uv_store_shadows(context: DoctorContext) -> Iterator[Finding]:
    """An entry of `uv auth login` for a feed's host: uv sends it and never asks."""
    folder = (
        context.user_dirs.environ.get("UV_CREDENTIALS_DIR")
        or context.user_dirs.belongings / "uv" / "credentials"
    )
    try:
        found: Any = tomllib.loads(Path(folder, STORE).read_text("utf-8"))
    except (OSError, ValueError):
        return
    hosts = {url.origin.host for feed in context.feeds for url in feed.urls}
    listed = found.get("credential")
    for entry in listed if isinstance(listed, list) else ():
        service = str(entry.get("service", "")) if isinstance(entry, dict) else ""
        host = _host(service)
        if host in hosts:
            address = printable(service) or f"https://{host}"
            said = f"uv has a password of its own for {address}: it takes that before any keyring"
            yield warning("uv-store", said, f"uv auth logout {quote(address)}")


def _host(service: str) -> str | None:
    try:
        return urlsplit(service).hostname
    except ValueError:
        return None
