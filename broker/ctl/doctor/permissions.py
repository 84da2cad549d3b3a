"""Files and folders that others could read or write, with the chmod that closes them."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import token_broker_client as client

from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.setup.sandbox_paths import named_files
from broker.host.trusted_file import OTHERS_WRITE, TEMPORARY, why_untrusted

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def permissions_are_tight(context: DoctorContext) -> Iterator[Finding]:
    """Other users cannot write the configuration, read a secret, or reach the socket."""
    paths = context.user_dirs.configuration
    told = list(_untrusted(context, paths.user))
    yield from told or _open_folder(context, paths.user.parent)
    for path in (paths.env, *_secret_files(context)):
        yield from _open(context, path, OTHERS, "read", "go-rwx")
    yield from _open_socket_folder(context)


def _untrusted(context: DoctorContext, path: Path) -> Iterator[Finding]:
    """The configuration is refused by the daemon: another user could have put it there."""
    failure = why_untrusted(path)
    if failure is None:
        return
    said = f"{context.user_dirs.shown(failure.subject)} {failure.said}"
    if failure.closes is None:
        yield problem("permissions", said, failure.hint)
        return
    subject, mode = failure.subject, failure.closes
    yield problem("permissions", said, failure.hint, lambda: subject.chmod(mode))


def _open_folder(context: DoctorContext, folder: Path) -> Iterator[Finding]:
    """A folder where a configuration would lie. One that all users share, such as /tmp, is left as it is."""
    with contextlib.suppress(OSError):
        seen = folder.stat()
        is_shared = folder in TEMPORARY or seen.st_mode & stat.S_ISVTX
        if seen.st_uid == os.geteuid() and not is_shared:
            yield from _open(context, folder, OTHERS_WRITE, "written", "go-w")


def _open(context: DoctorContext, path: Path, bits: int, what: str, change: str) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & bits:
        closed = stat.S_IMODE(mode) & ~bits
        said = f"{context.user_dirs.shown(path)} can be {what} by others (mode {stat.S_IMODE(mode):04o})"
        yield problem("permissions", said, f"chmod {change} {quote(str(path))}", lambda: path.chmod(closed))


def _open_socket_folder(context: DoctorContext) -> Iterator[Finding]:
    """Only the folder that the broker makes itself is closed; another one is left as it is."""
    try:
        folder = client.socket_path().rpartition("/")[0] or "/"
    except client.BrokerError:
        return
    for finding in _open(context, Path(folder), OTHERS, "read", "go-rwx"):
        if client.is_own_place(folder):
            yield finding
            continue
        base = folder if os.access(folder, os.W_OK) else tempfile.gettempdir()
        said, _, repair = client.wants_own_folder(base, finding.said).partition("; run: ")
        yield problem("permissions", said, repair)


def _secret_files(context: DoctorContext) -> Iterator[Path]:
    for feed in context.configured.config.feeds:
        for path in named_files(feed.own_keys):
            if not path.startswith(("/run/secrets/", "/var/run/secrets/")):
                yield context.user_dirs.expanded(path)
