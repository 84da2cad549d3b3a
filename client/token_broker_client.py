"""The `keyring` command in stdlib Python, and the client side of the broker's socket.

Finds the socket, makes sure that the broker behind it may be trusted, asks, and judges the answer;
as a command it prints the answer or hands the call to the next `keyring` on PATH. It never prints
anything but a whole, checked credential on stdout, never reads below the working directory, and
keeps nothing. `keyring_shim.c` is the same program in C, in the same order, under the same names.

Every look-up of the pure wheel pays for this file's imports, so it takes only what the interpreter
has loaded anyway, `_socket` and `struct` (0.6 ms together; `socket` alone 7 ms, `dataclasses` 15 ms,
`urllib.parse` 9 ms, measured with CPython 3.11), and the rest inside the rare function that needs it.
"""

from __future__ import annotations

import os
import stat
import sys
import time

if __name__ == "__main__":
    # `python -m` and relative entries of PYTHONPATH mean the working directory: nothing there is ours.
    try:
        _here = os.getcwd()
    except OSError:
        _here = ""  # it was deleted, with all that was there
    _planted = {sys.path[0]} | {
        os.path.normpath(os.path.join(_here, entry))
        for entry in os.environ.get("PYTHONPATH", "").split(":")
        if not entry.startswith("/")
    }
    sys.path[:] = [entry for entry in sys.path if entry not in _planted]

import _socket
import struct

TYPE_CHECKING = False  # `typing` costs 9 ms; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from http.client import HTTPResponse
    from typing import NoReturn, Self

SYSTEM_SOCKET = "/run/token-broker/broker.sock"
SYSTEM_UID = 0  # whose the directory of the system socket is
UNMAPPED_UID = 65534  # every uid without a number in our user namespace (/proc/sys/fs/overflowuid)
SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107  # sun_path without its final zero
DEFAULT_BUDGET_S = 30.0  # no client has a time-out of its own
LONGEST_BUDGET_S = 3600.0
SERVICE_BYTES = 8192  # a longer service is no feed: the broker refuses it too
USERNAME_BYTES = 1024
ANSWER_BYTES = 65536  # the longest tokens seen are a few kB
LINE_BYTES = 500  # one line on stderr, whatever the broker says
NAP_S = 0.01  # between two looks at a socket that is not there yet
START_GRACE_S = 1.0  # for another broker that is just starting, once ours has ended
IDLE_EXIT = "1h"  # of a broker that nobody but a look-up started

NOT_RUNNING = "the broker is not running; run: brokerctl setup"
NOT_SHARED = ", whose broker is not running; on the machine that shares it, run: brokerctl start"
NOT_IN_TIME = "the broker did not answer in time (TOKEN_BROKER_TIMEOUT); run: brokerctl status"
CLOSED_TWICE = "the broker closed the connection twice without an answer; run: brokerctl status"
CUT_SHORT = "the broker's answer was cut short; run: brokerctl status"
NOT_UNDERSTOOD = "the broker's answer was not understood; run: brokerctl restart"
NOT_STARTED = "brokerd was started and does not serve; run: brokerctl doctor"
SAME_USER = "run: docker run --user UID, or podman run --userns=keep-id"
HOST_USERS = "run: docker run --userns=host --user UID, or podman run --userns=keep-id"  # numbers as outside
UNANSWERABLE = (
    "the username cannot stand in an answer"  # how the broker's one 400 begins that is no `not ours`
)
ADDABLE = "; run: brokerctl add "  # in a 404 that is told: an address that names a kind of feed
OTHER_NAME = ", the URL says "  # the same: another user's name
NOT_PRINTABLE = f"{UNANSWERABLE}: it is not one line of printable ASCII without blanks at its ends"
TOO_LONG = f"{UNANSWERABLE}: it is longer than {USERNAME_BYTES:,} bytes"
NOT_WRITTEN = "the answer cannot be written to stdout"
ONLY_IN_WSL = "Windows is served inside WSL only; run: wsl"
NOBODY_ELSE = "only look-ups are answered here, and no other keyring is on PATH; run: pip install keyring"
HOW_TO_GET = (
    "a look-up is `get SERVICE USERNAME` or `--mode creds get SERVICE`, and no other keyring is on PATH; "
    "run: pip install keyring"
)


# What a look-up comes to. Plain classes, because `dataclasses` costs more than the look-up itself.


class Answer:
    """A feed's credential. Shown without its password."""

    __slots__ = __match_args__ = ("username", "password")

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return f"Answer(username={self.username!r}, password=****)"


class NotOurs:
    """No broker knows a feed for this service and username: somebody else may be asked.

    `line` says why and what to type, where the address names a kind of feed or the feed answers another name.
    """

    __slots__ = __match_args__ = ("line",)

    def __init__(self, line: str = "") -> None:
        self.line = line


class Silent:
    """No answer and nothing to say: a bare host that several credentials share."""

    __slots__ = __match_args__ = ()


class Failed:
    """A credential that cannot be had: `line` says what failed, for which feed, what to type."""

    __slots__ = __match_args__ = ("line",)

    def __init__(self, line: str) -> None:
        self.line = line


class NotRunning:
    """No broker serves and none could be started here: `reason` says what to type."""

    __slots__ = __match_args__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class BrokerError(Exception):
    """The broker cannot be asked; the message says what failed and what to type."""


class SocketPathError(BrokerError):
    """There is no usable path for the socket: too long, relative, or no directory to put it in."""


class UntrustedError(BrokerError):
    """The socket lies where others could have put it, or another user listens on it."""


class NotRunningError(BrokerError):
    """Nobody listens, and no broker was or could be started."""


class NoAnswerError(BrokerError):
    """The broker gave no whole answer within the budget."""


class _ClosedUnansweredError(NoAnswerError):
    """The connection ended before a byte of an answer: worth a second try."""


# The command line


class Question:
    """A look-up as a client spelt it. `username` is None when none was given."""

    __slots__ = ("creds", "json", "service", "username")

    def __init__(self, service: str, username: str | None, *, creds: bool, json: bool) -> None:
        self.service = service
        self.username = username
        self.creds = creds
        self.json = json


def parse_command(arguments: list[str]) -> Question | None:
    """Return the look-up that these arguments ask for, or None when they are not a look-up of ours.

    Takes what uv, pip, pdm and pipx send: options before or after `get`, `--mode X` and `--mode=X`.
    An empty username is none; without one a password cannot be asked for (keyring 25.7, cli.py).
    """
    options = {"--mode": "password", "--output": "plain"}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if name not in options:
            return None
        options[name] = value if equals else next(rest, "")
    mode, output = options["--mode"], options["--output"]
    if mode not in ("password", "creds") or output not in ("plain", "json"):
        return None
    creds = mode == "creds"
    if len(words) not in ((2, 3) if creds else (3,)) or words[0] != "get" or not words[1]:
        return None
    username = words[2] if len(words) == 3 and words[2] else None
    return Question(words[1], username, creds=creds, json=output == "json")


def _printable(text: bytes) -> bool:
    """Return whether `text` is printable ASCII without blanks at its ends, as an answer must be."""
    return all(0x20 <= byte <= 0x7E for byte in text) and text.strip(b" ") == text


# The budget


def budget_s() -> float:
    """Return how long a look-up may take: TOKEN_BROKER_TIMEOUT in seconds, above 0 and at most an hour."""
    text = os.environ.get("TOKEN_BROKER_TIMEOUT", "")
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()):
        return DEFAULT_BUDGET_S
    seconds = float(text)
    return seconds if 0.001 <= seconds <= LONGEST_BUDGET_S else DEFAULT_BUDGET_S


def _left_s(deadline: float) -> float:
    """Return the seconds until `deadline` on the monotonic clock. Raise NoAnswerError when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise NoAnswerError(NOT_IN_TIME)
    return left


# Where the socket is


def _directory(path: str) -> str:
    """Return the directory of an absolute path, without the slashes that end it; `/` keeps its one."""
    return path.rpartition("/")[0].rstrip("/") or "/"  # lstat(2) would follow a link that a slash ends


def _names_a_file(path: str) -> bool:
    """Return whether an absolute path names something in its directory: not that one, nor the one above."""
    return path.rpartition("/")[2] not in ("", ".", "..")


def socket_path() -> str:
    """Return the path of the user's socket, whether or not anything is there.

    Raise SocketPathError when it is longer than the system can bind, relative, no file's, or cannot be named.
    """
    path = os.environ.get("TOKEN_BROKER_SOCKET") or f"{_socket_directory()}/broker.sock"
    if not path.startswith("/"):
        raise SocketPathError("TOKEN_BROKER_SOCKET is not an absolute path; run: unset TOKEN_BROKER_SOCKET")
    if not _names_a_file(path):
        raise SocketPathError("TOKEN_BROKER_SOCKET names no file; run: unset TOKEN_BROKER_SOCKET")
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        message = f"the socket's path is longer than {SOCKET_PATH_BYTES} bytes"
        raise SocketPathError(f"{message}; run: export TOKEN_BROKER_SOCKET=/a/shorter/path")
    return SYSTEM_SOCKET if is_system_socket(path) else path


def is_system_socket(path: str) -> bool:
    """Return whether `path` is the system's socket, also where it is written with `//`, `/./` or a link."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    system = SYSTEM_SOCKET.split("/")
    if parts[-2:] != system[-2:]:
        return False
    try:
        return os.path.samefile("/" + "/".join(parts[:-2]), "/".join(system[:-2]))
    except (OSError, ValueError):
        return False


def socket_beside_us() -> str | None:
    """Return `DIR/broker.sock` where we were found as `DIR/bin/keyring` and it is there, else None.

    tox and its like clean the environment of TOKEN_BROKER_SOCKET but not of PATH. A socket that is named
    comes first, and the same rules say whether this one may be trusted.
    """
    folder, _, name = sys.argv[0].rpartition("/")
    above, _, last = folder.rpartition("/")
    if os.environ.get("TOKEN_BROKER_SOCKET") or (name, last) != ("keyring", "bin") or above[:1] != "/":
        return None
    path = f"{above}/broker.sock"
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return None
    return path if is_socket and len(os.fsencode(path)) <= SOCKET_PATH_BYTES else None


def _socket_directory() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and _is_our_directory(runtime):  # after `su` it is another user's
        return f"{runtime}/token-broker"
    home = os.environ.get("HOME", "")
    if sys.platform == "darwin" and home.startswith("/"):
        return f"{home}/Library/Caches/token-broker"
    runtime = f"/run/user/{os.geteuid()}"  # cron and ssh commands have it, but no variable
    if _is_our_directory(runtime):
        return f"{runtime}/token-broker"
    if home.startswith("/"):
        return f"{home}/.cache/token-broker/{_machine_id()}"  # homes are shared between hosts
    raise SocketPathError(
        'neither XDG_RUNTIME_DIR nor HOME is set; run: eval "export HOME=~$(id -un)"'  # `~` alone is $HOME
    )


def _is_our_directory(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _machine_id() -> str:
    """Return machine-id(5), or the host's name where an image left that file empty."""
    try:
        with open("/etc/machine-id", "rb") as file:
            text = file.read(33).strip()
    except OSError:
        text = b""
    if len(text) == 32 and all(byte in b"0123456789abcdef" for byte in text):
        return text.decode()
    return os.uname().nodename.replace("/", "_")


# Whom to trust


def check_trust(path: str) -> tuple[int, ...] | None:
    """Return the uids that may listen at `path`; None means any, for only root can put a socket there.

    Raise FileNotFoundError when there is no socket, and UntrustedError, naming the repair, when
    others could have put it there and TOKEN_BROKER_TRUST_UID does not say whom to trust instead.
    """
    try:
        if path == SYSTEM_SOCKET:
            _check_system_directory(_directory(path))
            os.lstat(path)
            return None
        _check_directory(_directory(path))
        _check_socket(path, _directory(path))
    except UntrustedError:
        trusted = _trusted_uid()
        if trusted is None or path == SYSTEM_SOCKET:
            raise
        return (trusted,)
    trusted = _trusted_uid()
    return (os.geteuid(),) if trusted is None else (os.geteuid(), trusted)


def _trusted_uid() -> int | None:
    text = os.environ.get("TOKEN_BROKER_TRUST_UID", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= 0xFFFFFFFF else None


def shell_word(path: str) -> str:
    """Return `path` as one word of a shell's line: shlex.quote, whose import costs more than a look-up."""
    if path and all(
        character.isascii() and (character.isalnum() or character in "_@%+=:,./-") for character in path
    ):
        return path
    if _escaped(path) != path:  # only this kind of quotes can name a control character
        return "$'" + _escaped(path.replace("\\", "\\\\").replace("'", "\\'")) + "'"
    return "'" + path.replace("'", "'\\''") + "'"


def _escaped(text: str) -> str:
    """Return `text` with its control characters as a shell's `$'...'` writes them."""
    if text.isprintable():
        return text
    return "".join(
        character if character >= " " and character != "\x7f" else f"\\{ord(character):03o}"
        for character in text
    )


def is_own_place(directory: str) -> bool:
    """Return whether `directory` is the one that we make for the socket: no hint changes another one."""
    try:
        return directory == _socket_directory()
    except SocketPathError:
        return False


def wants_own_folder(directory: str, what: str) -> str:
    """Return `what` with the line that puts the socket into a folder of its own below `directory`."""
    own = shell_word(f"{directory.rstrip('/')}/token-broker-{os.geteuid()}/broker.sock")
    return f"{what}: the socket wants a folder of its own; run: export TOKEN_BROKER_SOCKET={own}"


def _check_system_directory(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != SYSTEM_UID or found.st_mode & 0o022:
        raise UntrustedError(f"{path} can be written by others than root; run: sudo brokerctl doctor")


def _foreign(what: str, uid: int) -> UntrustedError:
    if uid == UNMAPPED_UID:
        return UntrustedError(f"{what}: a user who has no number in this container; {HOST_USERS}")
    return UntrustedError(f"{what}; run: export TOKEN_BROKER_TRUST_UID={uid} if you trust it")


def _open_to_others(path: str, mode: int, repair: str) -> UntrustedError:
    what = f"{path} is open to others (mode {mode & 0o777:04o})"
    return UntrustedError(f"{what}; run: chmod {repair} {shell_word(path)}")


def _check_directory(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise UntrustedError(f"{path} is not a directory; run: ls -ld {shell_word(path)}")
    if found.st_uid != os.geteuid():
        what = f"{path} belongs to uid {found.st_uid}, not to you"
        if found.st_uid != UNMAPPED_UID and not os.access(path, os.X_OK):  # trust would not let us in
            raise UntrustedError(f"{what}, and lets only its owner in; {SAME_USER}")
        raise _foreign(what, found.st_uid)
    if found.st_mode & 0o077 and not is_own_place(path):
        what = f"{path} is open to others (mode {found.st_mode & 0o777:04o})"
        raise UntrustedError(wants_own_folder(path, what))
    if found.st_mode & 0o077:
        raise _open_to_others(path, found.st_mode, "700")


def _check_socket(path: str, directory: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) and not is_own_place(directory):
        raise UntrustedError(wants_own_folder(directory, f"{path} is not a socket"))
    if stat.S_ISDIR(found.st_mode):  # Docker makes one where it is to mount a socket that is not there
        word = shell_word(path)
        raise UntrustedError(f"{path} is a folder, not a socket; run: mv {word} {word}.not-mine")
    if not stat.S_ISSOCK(found.st_mode):
        raise UntrustedError(f"{path} is not a socket; run: rm {shell_word(path)}")
    if found.st_uid != os.geteuid():
        raise _foreign(f"{path} belongs to uid {found.st_uid}, not to you", found.st_uid)
    if found.st_mode & 0o077:
        raise _open_to_others(path, found.st_mode, "600")


def _check_listener(connection: _socket.socket, path: str, uids: tuple[int, ...] | None) -> None:
    """Raise UntrustedError unless the process that called listen() at `path` has one of `uids`."""
    if uids is None:
        return
    if sys.platform == "darwin":
        credentials = connection.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        (uid,) = struct.unpack_from("@I", credentials, 4)
    else:
        credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        (_, uid, _) = struct.unpack("@iII", credentials)
    if uid not in uids:
        raise _foreign(f"{path} is served by uid {uid}, not by you", uid)


# The connection


def open_broker(path: str, deadline: float, *, start: bool = False) -> _socket.socket:
    """Return a connection to the trusted broker at `path`, started before if need be and `start`.

    `deadline` is a reading of time.monotonic(). Raise UntrustedError, NotRunningError or NoAnswerError.
    """
    try:
        return _connect(path, deadline)
    except (FileNotFoundError, ConnectionRefusedError):
        if path == SYSTEM_SOCKET or not start or os.environ.get("TOKEN_BROKER_AUTOSTART") == "0":
            raise NotRunningError(_not_running(path)) from None
    except PermissionError:
        if path == SYSTEM_SOCKET:  # its owner does not let us in: for us there is none
            raise NotRunningError(NOT_RUNNING) from None
        message = f"{path} lets only its owner in, and you are uid {os.geteuid()}"
        raise UntrustedError(f"{message}; {SAME_USER}") from None
    return _start_broker(path, deadline)


def _not_running(path: str) -> str:
    """Return the line for a socket that nobody serves. In a container no set-up helps.

    A share's folder is known by its copy of the shim.
    """
    directory = _directory(path)
    try:
        is_share = stat.S_ISREG(os.lstat(f"{directory}/bin/keyring").st_mode)
    except OSError:
        is_share = False
    return f"{directory} is a share{NOT_SHARED}" if is_share else NOT_RUNNING


def _connect(path: str, deadline: float) -> _socket.socket:
    uids = check_trust(path)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(None)
        # A blocking connect waits its turn at a full backlog, where a non-blocking one gets EAGAIN.
        _limit(connection, _socket.SO_SNDTIMEO, deadline)
        connection.connect(path)
        _check_listener(connection, path, uids)
    except BaseException as error:
        connection.close()
        if isinstance(error, BlockingIOError):
            raise NoAnswerError(NOT_IN_TIME) from None
        raise
    return connection


def _limit(connection: _socket.socket, option: int, deadline: float) -> None:
    """Let the kernel end the next wait on `connection` at `deadline`."""
    microseconds = max(1, int(_left_s(deadline) * 1_000_000))  # 0 would mean for ever
    connection.setsockopt(_socket.SOL_SOCKET, option, struct.pack("@ll", *divmod(microseconds, 1_000_000)))


# Starting the broker where no service manager does


def _start_broker(path: str, deadline: float) -> _socket.socket:
    """Start the brokerd beside us, unless another look-up is at it, and return a connection to it."""
    brokerd = _brokerd_beside_us()
    if brokerd is None:
        raise NotRunningError(_not_running(path))
    lock = _open_lock(_directory(path))
    holding = False
    started = 0
    try:
        while True:
            holding = holding or _take(lock)
            try:
                return _connect(path, deadline)  # the lock's former holder may have succeeded
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            if holding and not started:
                started = _spawn(brokerd)
            elif started and not _is_alive(started):  # refused to be the second broker, or broken
                deadline = min(deadline, time.monotonic() + START_GRACE_S)
            if time.monotonic() + NAP_S >= deadline:
                raise NoAnswerError(NOT_STARTED if started else NOT_IN_TIME)
            time.sleep(NAP_S)
    finally:
        os.close(lock)


def _brokerd_beside_us() -> str | None:
    """Return the brokerd installed with us: beside the script that runs, or beside its interpreter."""
    for neighbour in (os.path.realpath(sys.argv[0]), sys.executable or ""):
        brokerd = f"{_directory(neighbour)}/brokerd"
        if neighbour.startswith("/") and _is_program(brokerd):
            return brokerd
    return None


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _make_directory(directory: str) -> None:
    """Make `directory` and what is missing above it, each with mode 0700."""
    if os.path.isdir(directory):
        return
    _make_directory(_directory(directory))
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return  # another look-up was quicker


def _open_lock(directory: str) -> int:
    """Return an open start.lock in the socket's directory, which is made with mode 0700 if missing."""
    try:
        _make_directory(directory)
        _check_directory(directory)
        return os.open(f"{directory}/start.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise NoAnswerError(
            f"{directory} cannot be used (error {error.errno}); run: brokerctl doctor"
        ) from None


def _take(lock: int) -> bool:
    """Return whether we are the one who starts the broker. Where locks do not work, everybody is."""
    import fcntl  # noqa: PLC0415 - needed in this rare case only

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the broker's own lock still lets only one serve
    return True


def _spawn(brokerd: str) -> int:
    """Start `brokerd` with no tie to us, our terminal or our caller's pipes; return its process id.

    Raise NoAnswerError when it cannot be executed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _become_broker(brokerd, writer)
    os.close(writer)
    os.waitpid(child, 0)
    told = b""
    while part := os.read(reader, 8):  # its end: the broker runs, or never will
        told += part
    os.close(reader)
    if len(told) != 4:
        error = int.from_bytes(told[4:], sys.byteorder)
        raise NoAnswerError(f"{brokerd} cannot be run (error {error}); run: brokerctl doctor")
    return int.from_bytes(told, sys.byteorder)


def _become_broker(brokerd: str, writer: int) -> NoReturn:
    """Turn this forked child's child into the broker. System calls only: other threads may hold locks."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.dup2(writer, 3, inheritable=False)  # first, for `writer` may be one of 0, 1, 2
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.closerange(4, 65536)  # our caller waits for the end of its pipes
        os.write(3, os.getpid().to_bytes(4, sys.byteorder))
        os.chdir("/")
        environment = {name: value for name, value in os.environ.items() if name != "TOKEN_BROKER_PASSED"}
        try:
            os.execve(brokerd, [brokerd, "--idle-exit", IDLE_EXIT], environment)  # noqa: S606 - no shell wanted
        except OSError as error:
            os.write(3, (error.errno or 1).to_bytes(4, sys.byteorder))
    finally:
        os._exit(127)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


# The question and its answer


def ask(
    service: str,
    username: str | None = None,
    *,
    patience_s: float | None = None,
    start: bool = True,
    path: str | None = None,
) -> Answer | NotOurs | Silent | Failed | NotRunning:
    """Return what the user's broker says of `service`, or the system's where the user's knows no such feed.

    `patience_s` limits the whole, TOKEN_BROKER_TIMEOUT when None. With `start` a broker that does
    not run is started if it is installed beside this program. `path` is another socket than the user's, whose
    broker is never started. Never raises for what a broker does.
    """
    deadline = time.monotonic() + (budget_s() if patience_s is None else patience_s)
    question = (os.fsencode(service), os.fsencode(username or ""))
    if len(question[0]) > SERVICE_BYTES or len(question[1]) > USERNAME_BYTES:
        return NotOurs()
    start = start and path is None
    try:
        path = path or socket_path()
    except SocketPathError as error:
        return Failed(str(error))
    outcome = _ask_broker(path, *question, deadline, start=start)
    if path != SYSTEM_SOCKET and isinstance(outcome, (NotOurs, NotRunning)):
        system = _ask_broker(SYSTEM_SOCKET, *question, deadline, start=False)
        if isinstance(system, NotOurs) and isinstance(outcome, NotOurs):
            return NotOurs(system.line or outcome.line)
        if not isinstance(system, NotRunning):
            return system
    return outcome


def _ask_broker(
    path: str, service: bytes, username: bytes, deadline: float, *, start: bool
) -> Answer | NotOurs | Silent | Failed | NotRunning:
    try:
        try:
            return _judge(*_exchange(path, service, username, deadline, start=start), username)
        except _ClosedUnansweredError:  # a restart between connect and answer: its successor answers
            return _judge(*_exchange(path, service, username, deadline, start=start), username)
    except NotRunningError as error:
        return NotRunning(str(error))
    except BrokerError as error:
        return Failed(str(error))
    except OSError as error:
        return Failed(f"{path} cannot be used (error {error.errno}); run: brokerctl doctor")


def _exchange(
    path: str, service: bytes, username: bytes, deadline: float, *, start: bool
) -> tuple[int, bytes]:
    """Return status and body of one look-up. Raise BrokerError when there is no whole answer."""
    connection = open_broker(path, deadline, start=start)
    try:
        left = _left_s(deadline)
        wait = left - min(left / 10, 0.5)  # the broker's reason shall arrive before we give up
        target = b"/v1/credential?url=" + _percent_encoded(service)
        if username:
            target += b"&username=" + _percent_encoded(username)
        _send(connection, b"GET %s&wait=%.3f HTTP/1.1\r\n" % (target, wait), deadline)
        return _read_answer(connection, deadline)
    finally:
        connection.close()


def _percent_encoded(text: bytes) -> bytes:
    """Return `text` with all but RFC 3986's unreserved characters encoded."""
    return b"".join(
        b"%c" % byte if byte < 0x80 and (chr(byte).isalnum() or byte in b"-._~") else b"%%%02X" % byte
        for byte in text
    )


def _send(connection: _socket.socket, request_line: bytes, deadline: float) -> None:
    _limit(connection, _socket.SO_SNDTIMEO, deadline)
    try:
        connection.sendall(request_line + b"Host: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n")
    except BlockingIOError:
        raise NoAnswerError(NOT_IN_TIME) from None
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may have answered before it closed


def _read_answer(connection: _socket.socket, deadline: float) -> tuple[int, bytes]:
    """Return status and body once the whole answer is there. Raise NoAnswerError when it is not."""
    received = b""
    while True:
        _limit(connection, _socket.SO_RCVTIMEO, deadline)
        try:
            part = connection.recv(ANSWER_BYTES)
        except BlockingIOError:
            raise NoAnswerError(NOT_IN_TIME) from None
        except ConnectionResetError:
            part = b""
        if not part and not received:
            raise _ClosedUnansweredError(CLOSED_TWICE)
        if not part:
            raise NoAnswerError(CUT_SHORT)
        received += part
        answer = _parse_answer(received)
        if answer is not None:
            return answer


def _parse_answer(received: bytes) -> tuple[int, bytes] | None:
    """Return status and body of a whole HTTP/1 answer, None when more must come.

    Raise NoAnswerError for anything but a status line, one Content-Length and that many bytes.
    """
    head, end, body = received.partition(b"\r\n\r\n")
    status_line, *fields = head.split(b"\r\n")
    garbage = not b"HTTP/1.".startswith(received[:7]) or len(received) > ANSWER_BYTES
    if end and not garbage:
        lengths = []
        for field in fields:
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                lengths.append(value.strip(b" \t"))
            garbage = garbage or name.lower() == b"transfer-encoding"
        status = status_line[9:12]
        garbage = garbage or status_line[8:9] != b" " or status_line[12:13] not in (b" ", b"")
        garbage = garbage or not status.isdigit() or len(status) != 3
        garbage = garbage or len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > 7
        if not garbage and len(body) == int(lengths[0]):
            return int(status), body
        garbage = garbage or len(body) > int(lengths[0])
    if garbage:
        raise NoAnswerError(NOT_UNDERSTOOD)
    return None


def _judge(status: int, body: bytes, asked: bytes) -> Answer | NotOurs | Silent | Failed:
    """Return what the broker's status and body mean (CONTRACT section 4), asked with the username `asked`."""
    match status:
        case 200:
            return _judge_credential(body, asked)
        case 404:
            is_told = ADDABLE.encode() in body or OTHER_NAME.encode() in body
            return NotOurs(_printable_line(body) if is_told else "")
        case 400 if UNANSWERABLE.encode() not in body:
            return NotOurs()
        case 409:
            return Silent()
        case _:
            line = _printable_line(body)
            return Failed(line or f"the broker answered {status} without a reason; run: brokerctl status")


def _judge_credential(body: bytes, asked: bytes) -> Answer | Failed:
    if not _printable(asked):
        return Failed(NOT_PRINTABLE)  # it would be repeated
    username, _, password = body.removesuffix(b"\n").partition(b"\n")
    if not password or not _printable(username) or not _printable(password):
        return Failed(NOT_UNDERSTOOD)
    return Answer(username.decode("ascii"), password.decode("ascii"))


def _printable_line(body: bytes) -> str:
    """Return the first line of `body`, cut to LINE_BYTES, without control characters (C0, DEL, C1)."""
    line = body.partition(b"\n")[0].decode("utf-8", "replace")
    line = "".join(character for character in line if not (character < " " or "\x7f" <= character <= "\x9f"))
    return line.removeprefix("token-broker: ").encode()[:LINE_BYTES].decode("utf-8", "ignore")


# The rest of the broker's interface, for brokerctl: not on the path of a look-up


class BrokerResponse:
    """What a route answered. `headers` have lower-case names; `body` is whole."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Stream:
    """A route's answer that arrives bit by bit: iterate for its lines, without their line ends.

    A context manager. What comes raises NoAnswerError when it ends too early or not in time.
    """

    def __init__(self, answer: HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        while part := self._translated(self._answer.read1):  # readline() takes a half chunk for the end
            *lines, rest = (rest + part).split(b"\n")
            yield from (line.removesuffix(b"\r") for line in lines)
        if self._answer.length:
            raise NoAnswerError(CUT_SHORT)
        if rest:
            yield rest

    def read(self) -> bytes:
        """Return all that is still to come."""
        return self._translated(self._answer.read)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    @staticmethod
    def _translated(read: Callable[[], bytes]) -> bytes:
        from http.client import HTTPException  # noqa: PLC0415 - 28 ms that a look-up must not pay

        try:
            return read()
        except TimeoutError:
            raise NoAnswerError(NOT_IN_TIME) from None
        except (OSError, HTTPException):
            raise NoAnswerError(CUT_SHORT) from None


def request(
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    patience_s: float = DEFAULT_BUDGET_S,
    path: str | None = None,
) -> BrokerResponse:
    """Return the user's broker's answer to one request, `target` being like `/v1/status`.

    The broker is asked on its trusted socket, `path` or else socket_path(), and never started. Raise
    NotRunningError, UntrustedError, SocketPathError, or NoAnswerError after `patience_s` without a byte.
    """
    if any(character <= " " or character == "\x7f" for character in target):
        raise ValueError("a request's target has neither blanks nor control characters")
    lines = [f"{method} {target} HTTP/1.1", "Host: broker", "Accept-Encoding: identity", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None or method == "POST":
        lines.append(f"Content-Length: {len(body or b'')}")
    words = "\r\n".join([*lines, "", ""]).encode() + (body or b"")
    connection = open_broker(path or socket_path(), time.monotonic() + patience_s)
    try:
        _limit(connection, _socket.SO_SNDTIMEO, time.monotonic() + patience_s)
        connection.sendall(words)
        received, answer = b"", None
        while answer is None:
            _limit(connection, _socket.SO_RCVTIMEO, time.monotonic() + patience_s)
            part = connection.recv(ANSWER_BYTES)
            received += part
            answer = _whole_answer(received, is_end=not part)
    except BlockingIOError:
        raise NoAnswerError(NOT_IN_TIME) from None
    except (OSError, ValueError):
        raise NoAnswerError(CUT_SHORT) from None
    finally:
        connection.close()
    return answer


def _whole_answer(received: bytes, *, is_end: bool) -> BrokerResponse | None:
    """Return the answer once all of it is there, None before. Raise ValueError for one that never will be."""
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank or head.startswith(b"HTTP/1.1 1"):
        if is_end or blank:
            raise ValueError
        return None
    status_line, *fields = head.decode("latin-1").split("\r\n")
    named = [field.partition(":") for field in fields]
    headers = {name.lower(): value.strip(" \t") for name, _, value in named}
    if not status_line.startswith("HTTP/1."):
        raise ValueError
    status = int(status_line[9:12])
    if "transfer-encoding" in headers:
        return BrokerResponse(status, headers, _joined(body)) if is_end else None
    missing = int(headers.get("content-length", len(body) + (not is_end))) - len(body)
    if missing and (is_end or missing < 0):
        raise ValueError
    return None if missing else BrokerResponse(status, headers, body)


def _joined(chunks: bytes) -> bytes:
    """Return what a whole chunked body holds (RFC 9112, section 7.1). Raise ValueError for a part."""
    joined = b""
    while True:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            return joined
        if chunks[length : length + 2] != b"\r\n":
            raise ValueError
        joined += chunks[:length]
        chunks = chunks[length + 2 :]


def stream(
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    patience_s: float = DEFAULT_BUDGET_S,
    between_lines_s: float | None = None,
    path: str | None = None,
) -> Stream:
    """Return the broker's answer as a context manager to iterate over, a line at a time.

    `patience_s` limits the wait for the answer's head, `between_lines_s` each wait after it (None: no
    limit). Raises what request() raises.
    """
    import http.client  # noqa: PLC0415 - 28 ms that a look-up must not pay
    import socket  # noqa: PLC0415 - the same

    trusted = open_broker(path or socket_path(), time.monotonic() + patience_s)
    connected = socket.socket(fileno=trusted.detach())
    connected.settimeout(patience_s)
    connection = http.client.HTTPConnection("broker")
    connection.sock = connected
    try:
        connection.request(method, target, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        connected.settimeout(between_lines_s)
    except TimeoutError:
        raise NoAnswerError(NOT_IN_TIME) from None
    except (OSError, http.client.HTTPException):
        raise NoAnswerError(CUT_SHORT) from None
    finally:
        connected.close()  # an answer holds on to it until it is closed itself
    return Stream(answer)


# Printing


def print_answer(answer: Answer, question: Question) -> bool:
    """Write the answer as keyring 25.7 does, in one write. A requested username is echoed.

    False when it cannot be written, which is told.
    """
    username = question.username or answer.username
    if question.json and question.creds:
        text = f'{{"username": {_quoted(username)}, "password": {_quoted(answer.password)}}}\n'
    elif question.json:
        text = f'{{"password": {_quoted(answer.password)}}}\n'
    elif question.creds:
        text = f"{username}\n{answer.password}\n"
    else:
        text = f"{answer.password}\n"
    try:
        if sys.stdout is not None:  # closed at our start: by now that number may be another file's
            _write(1, text.encode("ascii"))
            return True
    except OSError:
        pass
    print_line(NOT_WRITTEN)
    return False


def _quoted(text: str) -> str:
    """Return printable ASCII as the JSON string that json.dumps makes of it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def print_line(line: str) -> None:
    """Write one line to stderr. A stderr that cannot be written to changes nothing."""
    try:
        _write(2, f"token-broker: {_escaped(line)}\n".encode("utf-8", "replace"))
    except OSError:
        return


def _write(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]


# Passing on


def pass_on(arguments: list[str]) -> None:
    """Become the next `keyring` after us. Return when there is none or we were passed on to already."""
    if "TOKEN_BROKER_PASSED" in os.environ:
        return
    environment = {**os.environ, "TOKEN_BROKER_PASSED": "1"}
    for candidate in _next_keyrings():
        try:
            os.execve(candidate, [candidate, *arguments], environment)  # noqa: S606 - no shell wanted
        except OSError:
            continue  # not executable after all: the next one


def _next_keyrings() -> Iterator[str]:
    """Yield each `keyring` that is not this program: on PATH after our entry, then those `setup` replaced."""
    entries = [entry for entry in os.environ.get("PATH", "").split(":") if entry.startswith("/")]
    ourselves = _identity(sys.argv[0])
    for entry in [*entries[_entries_before_us(entries, ourselves) :], _replaced_directory()]:
        candidate = f"{entry}/keyring"
        if entry and _identity(candidate) not in (None, ourselves):
            yield candidate


def _entries_before_us(entries: list[str], ourselves: tuple[int, int] | None) -> int:
    """Return how many PATH entries to skip: up to the one we were found by, none when it is not there."""
    folder, slash, name = sys.argv[0].rpartition("/")
    ours = _identity(f"{folder}/") if slash else ourselves
    for index, entry in enumerate(entries):
        if ours is not None and _identity(f"{entry}/" if slash else f"{entry}/{name}") == ours:
            return index + 1
    return 0


def _identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of what `path` leads to, None when it leads nowhere."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _replaced_directory() -> str:
    """Return where `brokerctl setup --replace` keeps the keyring whose place the shim took, or nothing."""
    home = os.environ.get("XDG_DATA_HOME", "")
    if not home.startswith("/"):
        home = os.environ.get("HOME", "")
        if not home.startswith("/"):
            return ""
        home += "/.local/share"
    return f"{home}/token-broker/replaced"


def _print_why_nobody_answers(question: Question, line: str) -> None:
    if len(os.fsencode(question.username or "")) > USERNAME_BYTES:
        print_line(TOO_LONG)
    elif line:
        print_line(line)


def main() -> int:
    """Answer like `keyring`; return the exit code: 0 answered, 1 not."""
    if sys.platform == "win32":
        print_line(ONLY_IN_WSL)
        return 1
    arguments = sys.argv[1:]
    question = parse_command(arguments)
    try:
        if question is None:
            pass_on(arguments)
            print_line(HOW_TO_GET if "get" in arguments else NOBODY_ELSE)
            return 1
        match ask(question.service, question.username, path=socket_beside_us()):
            case Answer() as answer:
                return 0 if print_answer(answer, question) else 1
            case Failed(line):
                print_line(line)
            case NotRunning(reason):
                if "TOKEN_BROKER_PASSED" not in os.environ:  # said once, by the first of us
                    print_line(reason)
                pass_on(arguments)
            case NotOurs(line):
                pass_on(arguments)
                _print_why_nobody_answers(question, line)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - a traceback is no answer, and a client would show it
        print_line(f"the look-up failed ({type(error).__name__}); run: brokerctl doctor")
    return 1


if __name__ == "__main__":
    sys.exit(main())
