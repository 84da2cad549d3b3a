"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

from collections.abc import Iterator

from broker.core.secret_source import NetrcSecret, sources_of
from broker.ctl.clients.stored_passwords import DEFAULT, host_of, netrc_entries, uv_store_entries
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning


def netrc_shadows(context: DoctorContext) -> Iterator[Finding]:
    """A netrc entry for a feed's host: uv sends it and never asks; pip asks only after it failed."""
    hosts = {
        url.origin.host
        for feed in context.feeds
        if NetrcSecret() not in sources_of(feed.settings)
        for url in feed.urls
    }
    for entry in netrc_entries(context.user_dirs):
        if entry.host in hosts or (entry.host == DEFAULT and hosts):
            shown = context.user_dirs.shown(entry.path)
            said = f"{shown} has {entry.host}: uv takes it before any keyring"
            yield warning("netrc", said, f"remove {entry.lines} of {shown}")


def uv_store_shadows(context: DoctorContext) -> Iterator[Finding]:
    """An entry of `uv auth login` for a feed's host: uv sends it and never asks."""
    hosts = {url.origin.host for feed in context.feeds for url in feed.urls}
    for entry in uv_store_entries(context.user_dirs):
        if host_of(entry.service) in hosts:
            said = f"uv has a password of its own for {entry.shown}: it takes that before any keyring"
            yield warning("uv-store", said, entry.removal)
