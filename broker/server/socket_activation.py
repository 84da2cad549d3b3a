"""A listening socket that a service manager opened and hands over: systemd's or launchd's.

Its path, mode and life are the manager's: we never remove it. Where no manager hands one over, `listen.take`
makes one.
"""

import ctypes
import ctypes.util
import os
import socket
import stat
import sys
from collections.abc import MutableMapping

from broker.core.failures import Failure

FIRST_FD = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""

FD_NAME = "broker"
"""FileDescriptorName= of our socket unit; needed only when the unit hands over more than one."""

_SYSTEMD_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")

_NOT_MANAGED = 3
"""ESRCH of launch_activate_socket(3): the program was not started by launchd."""


class BadActivation(Failure):
    """A service manager handed over something else than one listening Unix stream socket."""


def from_systemd(environ: MutableMapping[str, str], *, system: bool) -> socket.socket | None:
    """Return the socket that systemd, the user's or the `system`'s, handed over; None when it handed none to
    this very process.

    Takes the variables out of `environ` and marks every descriptor close-on-exec, so that no child takes
    them for its own. Raises BadActivation, with the line that shows the unit to blame; the descriptors stay
    open then, for the daemon is about to end.
    """
    try:
        return _from_systemd(environ)
    except BadActivation as failure:
        manager = "" if system else "--user "
        raise BadActivation(failure.detail, hint=f"systemctl {manager}cat token-broker.socket") from None


def _from_systemd(environ: MutableMapping[str, str]) -> socket.socket | None:
    told = {name: environ.pop(name, "") for name in _SYSTEMD_VARIABLES}
    if told["LISTEN_PID"] != str(os.getpid()):
        return None
    if not told["LISTEN_FDS"].isdecimal() or not 0 < int(told["LISTEN_FDS"]) < 64:  # noqa: PLR2004 - sane at most
        raise BadActivation("systemd's LISTEN_FDS is not a number of descriptors")
    descriptors = range(FIRST_FD, FIRST_FD + int(told["LISTEN_FDS"]))
    names = told["LISTEN_FDNAMES"].split(":") if told["LISTEN_FDNAMES"] else []
    if names and len(names) != len(descriptors):
        raise BadActivation("systemd's LISTEN_FDNAMES and LISTEN_FDS do not agree")
    for descriptor in descriptors:
        try:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - its signature
        except OSError as error:
            raise BadActivation(f"systemd's descriptor {descriptor} is not open") from error
    if len(descriptors) == 1:
        return _listening(FIRST_FD)
    if names.count(FD_NAME) != 1:
        raise BadActivation(
            f"systemd handed over {len(descriptors)} sockets, and not one of them named {FD_NAME}"
        )
    return _listening(descriptors[names.index(FD_NAME)])


def from_launchd(name: str) -> socket.socket | None:
    """Return the socket of this name in our plist, or None when launchd did not start us.

    launchd gives it once in a process's life (launch_activate_socket(3)). Not run on a Mac yet.
    """
    return _activated(name) if sys.platform == "darwin" else None


def _activated(name: str) -> socket.socket | None:
    library = ctypes.CDLL(ctypes.util.find_library("System"))
    descriptors = ctypes.POINTER(ctypes.c_int)()
    count = ctypes.c_size_t()
    code = library.launch_activate_socket(name.encode(), ctypes.byref(descriptors), ctypes.byref(count))
    if code == _NOT_MANAGED:
        return None
    if code != 0:
        raise BadActivation(f"launchd does not hand over its socket {name}: {os.strerror(code).lower()}")
    given = [descriptors[index] for index in range(count.value)]
    library.free(descriptors)
    if len(given) != 1:
        raise BadActivation(f"launchd handed over {len(given)} sockets named {name} instead of one")
    os.set_inheritable(given[0], False)  # noqa: FBT003 - its signature
    return _listening(given[0])


def _listening(descriptor: int) -> socket.socket:
    """The socket behind the descriptor, checked to be a Unix stream socket that listens."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise BadActivation(f"the service manager's descriptor {descriptor} is not a socket")
    given = socket.socket(fileno=descriptor)
    if (
        given.family != socket.AF_UNIX
        or given.type != socket.SOCK_STREAM
        or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        given.detach()
        raise BadActivation(
            f"the service manager's descriptor {descriptor} is not a listening Unix stream socket"
        )
    if not str(given.getsockname()).startswith("/"):  # an abstract one's name is bytes
        given.detach()
        raise BadActivation(f"the service manager's descriptor {descriptor} is a socket without a path")
    given.settimeout(0)
    return given
