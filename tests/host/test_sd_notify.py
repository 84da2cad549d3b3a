import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.host.sd_notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, place: Path) -> Iterator[socket.socket]:
    """What systemd listens on, by a path or without one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place / "notify") if request.param == "path" else f"\0{place}")
        manager.settimeout(60)
        yield manager


def environ_of(manager: socket.socket) -> dict[str, str]:
    address = manager.getsockname()
    return {"NOTIFY_SOCKET": address if isinstance(address, str) else f"@{address[1:].decode()}"}


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda notifier: notifier.ready("2 feeds"), "READY=1\nSTATUS=2 feeds"),
        (lambda notifier: notifier.status("one\nREADY=1"), "STATUS=one READY=1"),
        (lambda notifier: notifier.reloading(12.5), "RELOADING=1\nMONOTONIC_USEC=12500000"),
        (lambda notifier: notifier.stopping(), "STOPPING=1"),
        (lambda notifier: notifier.alive(), "WATCHDOG=1"),
    ],
)
def test_the_manager_is_told(manager: socket.socket, tell: Callable[[Notifier], None], message: str) -> None:
    tell(Notifier(environ_of(manager)))

    assert manager.recv(1000).decode() == message


def test_the_variables_are_not_left_for_children(manager: socket.socket) -> None:
    environ = {**environ_of(manager), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}

    Notifier(environ)

    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("address", ["", "/no/such/socket", "@no-such-socket", "vsock:2:1234", "relative"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})

    notifier.ready("nobody hears this")


def test_a_manager_that_does_not_read_does_not_hold_us_up(manager: socket.socket) -> None:
    notifier = Notifier(environ_of(manager))

    for _ in range(5000):
        notifier.alive()

    assert manager.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("variables", "interval_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_wants_a_word_at_half_its_patience(
    variables: dict[str, str], interval_s: float | None
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "/run/systemd/notify", **variables})

    assert notifier.watchdog_interval_s() == interval_s


def test_there_is_no_watchdog_without_a_manager() -> None:
    assert Notifier({"WATCHDOG_USEC": "10000000"}).watchdog_interval_s() is None
