"""Tells systemd our state (sd_notify(3), Type=notify). Without its socket nothing happens."""

import contextlib
import os
import socket
from collections.abc import MutableMapping


class Notifier:
    """Sends to the socket that `environ` names, and takes its variables out: no child may send in our name.

    A message that cannot be delivered is lost: systemd's own time limits deal with that.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_us = environ.pop("WATCHDOG_USEC", "")
        watchdog_pid = environ.pop("WATCHDOG_PID", str(os.getpid()))
        # "@" is how systemd writes the NUL of an abstract address; vsock addresses are for virtual machines
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_wanted = self._address.startswith(("/", "\0"))
        is_watched = self._is_wanted and watchdog_us.isdecimal() and watchdog_pid == str(os.getpid())
        self._watchdog_s = int(watchdog_us) / 1e6 if is_watched else 0.0

    def watchdog_interval_s(self) -> float | None:
        """Seconds between calls of `alive`: half of systemd's patience (sd_watchdog_enabled(3)), or None."""
        return self._watchdog_s / 2 if self._watchdog_s else None

    def ready(self, status: str) -> None:
        """We answer look-ups from now on, also after `reloading`."""
        self._send("READY=1", f"STATUS={_line(status)}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_line(status)}")

    def reloading(self, monotonic_s: float) -> None:
        """The configuration is read anew, begun at this time of CLOCK_MONOTONIC, which is the loop's."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_s * 1e6:.0f}")

    def stopping(self) -> None:
        """We finish what is under way and end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The loop turns."""
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if not self._is_wanted:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)  # a manager that does not read must not hold up the loop
            channel.sendto("\n".join(assignments).encode(), self._address)


def _line(status: str) -> str:
    """One line, whatever was said: a line break would begin another assignment."""
    return " ".join(status.split())
