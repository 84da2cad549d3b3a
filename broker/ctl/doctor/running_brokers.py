"""Whether a broker answers, which one, and whether it is the only one."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import token_broker_client as client

from broker.config.paths import SYSTEM
from broker.core.failures import READ_AGAIN
from broker.core.why_not import Topic
from broker.ctl.api_client import SilentBrokerError
from broker.ctl.command_error import ExitCode
from broker.ctl.doctor.context import DoctorContext, is_linux
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.left_reasons import failed_start
from broker.ctl.service import systemd
from broker.ctl.ui.humanize import ago
from broker.host.installation import installed_version

PROC = Path("/proc")
PYTHON = re.compile(rb"python[0-9.]*")
VALUED = re.compile(rb"-[A-Za-z]*?([cmWX])(.*)", re.DOTALL)
"""A Python option that takes the rest of its word or the next one; after c and m no script follows."""
SYSTEM_SOCKET = Path(client.SYSTEM_SOCKET)


def broker_answers(context: DoctorContext) -> Iterator[Finding]:
    """A broker answers, with a configuration that it understands."""
    answered = context.broker
    if answered.failure is not None:
        failure = answered.failure
        if failure.exit_code is ExitCode.NOT_RUNNING:
            if context.system.status is not None:
                yield fine("broker", "no broker of your own is running: the system broker answers")
            elif systemd.has_units():
                yield problem("broker", "no broker is running", "brokerctl start")
            elif (closed := _closed_folder()) is not None:
                said = f"no broker is running, and none can be started: {closed} cannot be written; "
                said += "TOKEN_BROKER_SOCKET names a socket in another folder"
                yield problem("broker", said, f"ls -ld {quote(str(closed))}")
            else:
                line = "brokerctl setup" if context.has_service else "brokerctl start"
                yield warning("broker", "no broker is running; the first look-up starts one", line)
        else:
            is_silent = isinstance(failure, SilentBrokerError)  # who typed `status` was sent here
            yield problem("broker", failure.detail, "brokerctl restart" if is_silent else failure.hint)
        return
    if answered.status is not None and answered.status.error is not None:
        yield problem("configuration", answered.status.error, answered.status.hint or READ_AGAIN)
    yield fine("broker", f"broker answers in {answered.took_s * 1000:.1f} ms")


def _closed_folder() -> Path | None:
    """The folder that has to take the socket, or the missing folders above it; None where it can."""
    try:
        socket = Path(client.socket_path())
    except client.BrokerError:
        return None
    nearest = next((folder for folder in socket.parents if folder.exists()), None)
    return None if nearest is None or os.access(nearest, os.W_OK | os.X_OK) else nearest


STATUS_TELLS = (Topic.START, Topic.CONFIGURATION, Topic.FEED)
"""What a daemon that answers says itself, or has shown to be over."""


def nothing_was_left_unsaid(context: DoctorContext) -> Iterator[Finding]:
    """What the daemon has recorded beside its status; all of it where no daemon answers."""
    is_down = context.broker.failure is not None
    for reason in context.why_not:
        if not is_down and reason.topic in STATUS_TELLS:
            continue
        since = ago((context.clock.now().wall - reason.at).total_seconds())
        subject = f"{reason.subject}: " if reason.subject else ""
        match reason.topic:
            case Topic.START:
                said = failed_start(reason, context.clock.now().wall)
                yield problem("start", said, reason.hint or "brokerctl start")
            case Topic.CONFIGURATION:
                continue  # the file itself is looked at
            case _:
                yield warning(reason.topic, f"{subject}{reason.detail} ({since})", reason.hint)


def configuration_can_be_used(context: DoctorContext) -> Iterator[Finding]:
    """What the files say now can be used, where no broker has told of them already."""
    failure, status = context.configured.failure, context.broker.status
    if failure is not None and (status is None or status.error is None):
        yield problem("configuration", failure.detail, failure.hint)


def system_broker_answers(context: DoctorContext) -> Iterator[Finding]:
    """Where there is a system broker, it has something for this user, or is not for this user at all."""
    status, failure = context.system.status, context.system.failure
    if status is not None and status.error is not None:
        yield problem("system-broker", f"the system broker: {status.error}", "sudo brokerctl reload")
    elif status is not None and status.feeds:
        names = ", ".join(feed.name for feed in status.feeds)
        after = "" if context.broker.status is None else " after your own"
        yield fine("system-broker", f"the system broker answers for {names}{after}")
    elif status is not None:
        yield warning(
            "system-broker",
            "the system broker lets you in and has no feed for you: no `allow` names you or a group of yours",
            f"ask for it: {SYSTEM}",
        )
    elif failure is not None and failure.exit_code is not ExitCode.NOT_RUNNING:
        yield problem("system-broker", f"the system broker: {failure.detail}", failure.hint)
    elif SYSTEM_SOCKET.exists():
        yield fine(
            "system-broker", f"there is a system broker, which is not for you ({_group(SYSTEM_SOCKET)})"
        )


def _group(socket: Path) -> str:
    """Whom it is for."""
    try:
        return f"it is for the members of {socket.group()}"
    except (KeyError, OSError):
        return "you are not in its group"


def same_version(context: DoctorContext) -> Iterator[Finding]:
    """Daemon and tool are of one version."""
    status, ours = context.broker.status, installed_version()
    if status is not None and ours is not None and status.version != ours:
        said = f"the broker is version {status.version}, this brokerctl is {ours}"
        yield warning("version", said, "brokerctl restart")


def only_one_broker(context: DoctorContext) -> Iterator[Finding]:
    """The socket is served by the service, and no other daemon of the user's holds tokens."""
    status, running = context.broker.status, brokers()
    if status is None or status.pid not in running:
        return  # a private one answers, as in a command of `exec`: the user's own beside it is no second one
    kept = systemd.shown("MainPID", systemd.SERVICE_UNIT) if context.has_service else ""
    if systemd.has_units() and kept not in {"", "0", str(status.pid)}:
        said = f"two brokers: process {status.pid} answers, the service's is process {kept}"
        yield problem("two-brokers", said, f"kill {status.pid}")
        return
    for pid in running:
        if pid != status.pid:
            yield warning("two-brokers", f"another broker runs: process {pid}", f"kill {pid}")


def brokers(proc: Path = PROC) -> list[int]:
    """The processes of this user that are a broker for everybody: a private one has a socket of its own."""
    if not is_linux():
        return []
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_ours = entry.stat().st_uid == Path("/proc/self").stat().st_uid
        except OSError:
            continue
        if is_ours and _runs_brokerd(words) and not any(word.startswith(b"--socket") for word in words):
            found.append(int(entry.name))
    return sorted(found)


def _runs_brokerd(words: list[bytes]) -> bool:
    """True for brokerd or a Python that runs it, false for what only starts it: `timeout 60 brokerd`."""
    program, *rest = words
    if PYTHON.fullmatch(_name(program)):
        if rest[:2] == [b"-m", b"broker.daemon"]:
            return True
        program = _script(rest)
    return _name(program) == b"brokerd"


def _script(words: list[bytes]) -> bytes:
    """The script of a Python's command line (python(1)); empty where it runs a module or a text."""
    rest = iter(words)
    for word in rest:
        if not word.startswith(b"-"):
            return word
        valued = VALUED.fullmatch(word)
        if word == b"-" or (valued and valued[1] in b"cm"):
            break
        if word == b"--check-hash-based-pycs" or (valued and not valued[2]):
            next(rest, b"")
    return b""


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
