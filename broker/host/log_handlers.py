"""Where the daemon's log lines go and how they look: to the journal with their priority, to files and
terminals as plain lines, and into memory. The thread that logs never waits (`unhurried_log.py`).

The types see to it that no secret is in a line of ours; what libraries say is looked through besides, and of
a defect only its place is said.
"""

import logging
import os
import re
import socket
import stat
from collections.abc import Mapping
from typing import Any, TextIO

from broker.core.defect import name_of
from broker.core.log_buffer import LogBuffer
from broker.host.excepthooks import place_of
from broker.host.unhurried_log import SmallFile, UnhurriedLog, to_descriptor

FORMAT = "%(levelname)s %(name)s: %(message)s"
FILE_FORMAT = f"%(asctime)s {FORMAT}"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
JOURNAL_FORMAT = "%(name)s: %(message)s"

JOURNAL_SOCKET = "/run/systemd/journal/socket"
"""Takes records in the journal's native protocol (systemd's JOURNAL_NATIVE_PROTOCOL)."""

IDENTIFIER = "token-broker"
"""As the unit's SyslogIdentifier= has it."""

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""syslog(3)'s numbers."""

_DEBUG = 7

_PAIR = re.compile(r"(?:^|\s)([a-z][a-z_]*)=(\S+)")
"""What the lines of an event are made of: `renewed realm=azure:acme took_ms=84`."""

_SECRET = re.compile(
    r"(?<=://)[^/@\s]+(?=@)"  # a URL's userinfo
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?<=Bearer )\S+|(?<=Basic )\S+",
    re.ASCII,
)


def handlers_for(
    environ: Mapping[str, str], stream: TextIO | None, log_buffer: LogBuffer
) -> list[logging.Handler]:
    """The handlers for a daemon whose stderr is `stream`; None, Python's for a closed one, takes no line."""
    memory = _Memory(log_buffer)
    memory.setFormatter(_Redacting(FILE_FORMAT, TIME_FORMAT))
    if stream is None:
        return [memory]
    is_journal = _is_journal(environ, stream)
    is_small = _is_file(stream) and not is_journal
    out: logging.Handler = UnhurriedLog(SmallFile(stream) if is_small else to_descriptor(stream))
    if is_journal:
        out = _Journal(out)
    out.setFormatter(formatter_for(environ, stream))
    return [memory, out]


def formatter_for(environ: Mapping[str, str], stream: TextIO) -> logging.Formatter:
    """The formatter for `stream`, which $JOURNAL_STREAM says is the journal or not (systemd.exec(5))."""
    if _is_journal(environ, stream):
        return _WithPriority(JOURNAL_FORMAT)
    return _Redacting(FILE_FORMAT, TIME_FORMAT) if _is_file(stream) else _Redacting(FORMAT)


def priority_of(record: logging.LogRecord) -> int:
    """The record's level in syslog(3)'s numbers."""
    return next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)


def redacted(text: str) -> str:
    """The text without what is secret by its form: a URL's userinfo, a JWT, an Authorization header."""
    return _SECRET.sub("****", text)


class _Redacting(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802, ANN401 - the parent's name and type
        """A defect's kind and place, without its message."""
        return place_of(ei[1]) if ei[1] is not None else ""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines. Never raises: a library's message may not fit its own arguments."""
        try:
            return redacted(super().format(record))
        except Exception as defect:  # noqa: BLE001 - whoever logs is not to fail by it
            return f"{record.levelname} {record.name}: a message that cannot be formed ({name_of(defect)})"


class _WithPriority(_Redacting):
    """Begins every line, those of a traceback too, with the priority that the journal files it under."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        return "\n".join(f"<{priority_of(record)}>{line}" for line in super().format(record).split("\n"))


class _Journal(logging.Handler):
    """Files a record with fields to search by: the journal's own, and one for each `key=value` of the line.

    `journalctl TOKEN_BROKER_REALM=azure:acme`. What the journal's socket does not take goes to `otherwise`.
    """

    def __init__(self, otherwise: logging.Handler, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._otherwise = otherwise
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)  # noqa: FBT003 - its signature; a journal that hangs holds up no look-up

    def setFormatter(self, formatter: logging.Formatter | None) -> None:  # noqa: N802 - the parent's name
        """The other handler's: here the lines are plain."""
        self._otherwise.setFormatter(formatter)
        super().setFormatter(_Redacting(JOURNAL_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """File the record."""
        said = self.format(record)
        facts = redacted(record.getMessage()).partition(": ")[0]  # what follows may quote another program
        fields = {
            "MESSAGE": said,
            "PRIORITY": str(priority_of(record)),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "LOGGER": record.name,
            **{f"TOKEN_BROKER_{name.upper()}": value for name, value in _PAIR.findall(facts)},
        }
        try:
            self._socket.sendto(b"".join(map(_field, fields, fields.values())), self._path)
        except OSError:
            self._otherwise.handle(record)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()


class _Memory(logging.Handler):
    def __init__(self, log_buffer: LogBuffer) -> None:
        super().__init__()
        self._log_buffer = log_buffer

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the record."""
        self._log_buffer.add(self.format(record))


def _field(name: str, value: str) -> bytes:
    """A field in the journal's native protocol, whose values may have several lines."""
    text = value.encode(errors="replace")
    return name.encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n"


def _is_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
