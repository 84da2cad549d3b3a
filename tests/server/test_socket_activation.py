import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.server.socket_activation import BadActivation, from_launchd, from_systemd

ACTIVATED = """
import os, sys
from broker.server.socket_activation import BadActivation, from_systemd
environ = dict(os.environ)
try:
    given = from_systemd(environ, system=False)
except BadActivation as failure:
    print("refused:", failure.detail)
    sys.exit()
print("none" if given is None else given.getsockname())
if given is not None:
    print(os.get_inheritable(given.fileno()), given.getblocking())
print(sorted(name for name in environ if name.startswith("LISTEN")))
"""


@pytest.fixture
def listening(place: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "s"))
        listening.listen()
        yield listening


def activated(
    *given: socket.socket | int, fds: str | None = None, pid: str = "$$", names: str = ""
) -> list[str]:
    """What a program says that is started the way systemd starts one, with these descriptors from 3 on."""
    numbers = [one if isinstance(one, int) else one.fileno() for one in given]
    # by way of high numbers: the target of one may be the source of another
    redirections = [f"{100 + n}<&{number}" for n, number in enumerate(numbers)]
    settled = [f"{3 + n}<&{100 + n}" for n in range(len(numbers))]
    variables = f"LISTEN_PID={pid} LISTEN_FDS={len(given) if fds is None else fds} LISTEN_FDNAMES={names}"
    script = f'exec {" ".join([*redirections, *settled])}; export {variables}; exec "$@"'
    run = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-c", ACTIVATED],
        pass_fds=numbers,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_a_socket_that_is_no_file_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0token-broker-test-{os.getpid()}")
        abstract.listen()

        assert activated(abstract) == [
            "refused: the service manager's descriptor 3 is a socket without a path"
        ]


def test_the_one_socket_is_taken_whatever_its_name(listening: socket.socket) -> None:
    expected = [listening.getsockname(), "False False", "[]"]

    assert activated(listening) == expected
    assert activated(listening, names="token-broker.socket") == expected


def test_of_several_the_one_named_broker_is_taken(listening: socket.socket, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place / "other"))
        other.listen()

        assert activated(other, listening, names="metrics:broker")[0] == listening.getsockname()
        assert activated(listening, other, names="broker:metrics")[0] == listening.getsockname()


def test_variables_meant_for_another_process_are_dropped(listening: socket.socket) -> None:
    assert activated(listening, pid="1") == ["none", "[]"]


def test_without_variables_nothing_was_handed_over() -> None:
    environ = {"PATH": "/bin"}

    assert from_systemd(environ, system=False) is None
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("count", ["", "0", "-1", "x", "1000000"])
def test_a_strange_count_is_refused(listening: socket.socket, count: str) -> None:
    assert activated(listening, fds=count) == ["refused: systemd's LISTEN_FDS is not a number of descriptors"]


def test_names_that_do_not_fit_are_refused(listening: socket.socket) -> None:
    assert "do not agree" in activated(listening, names="broker:broker")[0]


@pytest.mark.parametrize("names", ["", "one:two", "broker:broker"])
def test_several_without_one_named_broker_are_refused(listening: socket.socket, names: str) -> None:
    assert "not one of them named broker" in activated(listening, listening, names=names)[0]


def test_a_descriptor_that_is_not_open_is_refused(listening: socket.socket) -> None:
    assert "is not open" in activated(listening, fds="20")[0]


def test_what_is_no_listening_unix_socket_is_refused(place: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as packets,
        socket.socket(socket.AF_UNIX) as deaf,
        (place / "file").open("w") as file,
    ):
        packets.bind(str(place / "packets"))
        packets.listen()
        deaf.bind(str(place / "deaf"))

        for given in (tcp, datagrams, packets, deaf, file.fileno()):
            assert activated(given)[0].startswith("refused: the service manager's descriptor 3 is not a")


@pytest.mark.skipif(sys.platform == "darwin", reason="asks launchd on macOS")
def test_there_is_no_launchd_here() -> None:
    assert from_launchd("broker") is None


def test_our_own_pid_alone_is_not_enough() -> None:
    environ = {"LISTEN_PID": str(os.getpid())}

    with pytest.raises(BadActivation, match="LISTEN_FDS"):
        from_systemd(environ, system=False)


@pytest.mark.parametrize(("system", "line"), [(False, "systemctl --user cat"), (True, "systemctl cat")])
def test_refusal_names_the_line_that_shows_the_unit_to_its_manager(system: bool, line: str) -> None:
    with pytest.raises(BadActivation) as refused:
        from_systemd({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}, system=system)

    assert refused.value.hint == f"{line} token-broker.socket"
