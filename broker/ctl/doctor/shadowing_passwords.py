"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

from collections.abc import Iterable, Iterator

from broker.core.secret_source import NetrcSecret, sources_of
from broker.ctl.clients.stored_passwords import (
    DEFAULT,
    NetrcEntry,
    StoredLogin,
    host_of,
    netrc_entries,
    uv_store_entries,
)
from broker.ctl.doctor.context import DoctorContext, KnownFeed
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.doctor.pat_news import with_pat_news


def netrc_shadows(context: DoctorContext) -> Iterator[Finding]:
    """A netrc entry for a feed's host: uv sends it and never asks; pip asks only after it failed."""
    for entry in shadowing_netrc(context):
        shown = context.user_dirs.shown(entry.path)
        said = f"{shown} has {entry.host}: uv takes it before any keyring"
        said = with_pat_news(said, entry.host, context.clock.now().wall)
        yield warning("netrc", said, f"remove {entry.lines} of {shown}")


def uv_store_shadows(context: DoctorContext) -> Iterator[Finding]:
    """An entry of `uv auth login` for a feed's host: uv sends it and never asks."""
    for entry in shadowing_store(context):
        said = f"uv has a password of its own for {entry.shown}: it takes that before any keyring"
        said = with_pat_news(said, host_of(entry.service), context.clock.now().wall)
        yield warning("uv-store", said, entry.removal)


def shadowing_netrc(context: DoctorContext) -> Iterator[NetrcEntry]:
    """The entries for the host of a feed that is not to use them."""
    hosts = _hosts(feed for feed in context.feeds if not _uses_netrc(feed))
    for entry in netrc_entries(context.user_dirs):
        if entry.host in hosts or (entry.host == DEFAULT and hosts):
            yield entry


def netrc_of_feeds(context: DoctorContext) -> Iterator[NetrcEntry]:
    """The entries that are the secret of a feed."""
    hosts = _hosts(filter(_uses_netrc, context.feeds))
    return (entry for entry in netrc_entries(context.user_dirs) if entry.host in hosts)


def shadowing_store(context: DoctorContext) -> Iterator[StoredLogin]:
    """The entries of uv's store for the host of a feed."""
    hosts = _hosts(context.feeds)
    return (entry for entry in uv_store_entries(context.user_dirs) if host_of(entry.service) in hosts)


def _uses_netrc(feed: KnownFeed) -> bool:
    return NetrcSecret() in sources_of(feed.settings)


def _hosts(feeds: Iterable[KnownFeed]) -> set[str]:
    return {url.origin.host for feed in feeds for url in feed.urls}
