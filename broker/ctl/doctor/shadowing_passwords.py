"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

from collections.abc import Iterator

from broker.ctl.clients.stored_passwords import host_of
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.doctor.pat_news import with_pat_news


def netrc_shadows(context: DoctorContext) -> Iterator[Finding]:
    """A netrc entry for a feed's host: uv sends it and never asks; pip asks only after it failed."""
    for entry in context.netrc.shadowing:
        shown = context.user_dirs.shown(entry.path)
        said = f"{shown} has {entry.host}: uv takes it before any keyring"
        said = with_pat_news(said, entry.host, context.clock.now().wall)
        yield warning("netrc", said, f"remove {entry.lines} of {shown}")


def uv_store_shadows(context: DoctorContext) -> Iterator[Finding]:
    """An entry of `uv auth login` for a feed's host: uv sends it and never asks."""
    for entry in context.uv_store.shadowing:
        said = f"uv has a password of its own for {entry.shown}: it takes that before any keyring"
        said = with_pat_news(said, host_of(entry.service), context.clock.now().wall)
        yield warning("uv-store", said, entry.removal)
