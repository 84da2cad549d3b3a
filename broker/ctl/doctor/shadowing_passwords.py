"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from broker.core.secret_source import NetrcSecret, sources_of
from broker.core.urls import printable
from broker.ctl.clients.foreign_files import tables, toml_file
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning
from broker.host.trusted_file import UnreadableFile, read

STORE = "credentials.toml"
NETRC_BYTES = 65536
"""One that is longer was not written by hand."""

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
        text = read(path, NETRC_BYTES).decode()
    except (UnreadableFile, UnicodeDecodeError):
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
    hosts = {url.origin.host for feed in context.feeds for url in feed.urls}
    for _, entry in tables(toml_file(Path(folder, STORE)).content, "credential"):
        service = entry.get("service")
        host = _host(service) if isinstance(service, str) else None
        if isinstance(service, str) and host in hosts:
            address = printable(service) or f"https://{host}"
            said = f"uv has a password of its own for {address}: it takes that before any keyring"
            yield warning("uv-store", said, f"uv auth logout {quote(address)}")


def _host(service: str) -> str | None:
    try:
        return urlsplit(service).hostname
    except ValueError:
        return None
