"""A program that bothers a socket until its stdin ends: `attacker.py WAY SOCKET`. Next: `test_attacks.py`.

Says `begun` when it is in full swing, `enough` when it has made as many connections as LEAST says, and at the
end how many there were.
"""

from __future__ import annotations

import random
import resource
import select
import socket
import sys
from collections import deque

DRIP = b"GET /v1/health HTTP/1.1\r\nHost: broker\r\nX: " + b"x" * 64
HEADER = b"GET /v1/health HTTP/1.1\r\nHost: broker\r\nX: "
CHUNK = b"x" * 65536
CHUNKS = 50 * 2**20 // len(CHUNK)
NOISE_BYTES_MAX = 20_000
LEAST = {"dawdle": 200, "crowd": 10_000, "boast": 5, "babble": 1000}
"""Connections without which it was no attack of its kind."""


def connect(path: str) -> socket.socket | None:
    """A connection; None where there is no room for one."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(0)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def wants_to_end(wait_s: float = 0.0) -> bool:
    """Whether stdin has ended."""
    return bool(select.select([sys.stdin], [], [], wait_s)[0])


class Attack:
    """What is held and counted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.made = 0
        self.rounds = 0
        self.held: deque[socket.socket] = deque()

    def hold(self, most: int) -> None:
        """Have as many connections as there is room for; those that were hung up on do not count."""
        alive = [each for each in self.held if not is_over(each)]
        self.held = deque(alive)
        while len(self.held) < most and (connection := connect(self.path)) is not None:
            self.made += 1
            self.held.append(connection)

    def send(self, connection: socket.socket, content: bytes) -> bool:
        """Whether it was taken."""
        try:
            connection.send(content)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def dawdle(self) -> None:
        """Two hundred requests that come a byte at a time."""
        self.hold(200)
        self.rounds += 1
        for connection in self.held:
            self.send(connection, DRIP[self.rounds % len(DRIP) :][:1])

    def crowd(self) -> None:
        """Who come and go, by the thousand."""
        self.hold(100)
        while self.held:
            self.held.popleft().close()

    def sit(self) -> None:
        """A hundred who say nothing."""
        self.hold(100)

    def occupy(self) -> None:
        """As many as are let in, and say nothing."""
        self.hold(10_000)

    def boast(self) -> None:
        """A header of fifty megabytes."""
        connection = connect(self.path)
        if connection is None:
            return
        self.made += 1
        with connection:
            connection.settimeout(None)
            if self.send(connection, HEADER):
                for _ in range(CHUNKS):
                    if not self.send(connection, CHUNK):
                        break

    def babble(self) -> None:
        """Random bytes."""
        self.hold(20)
        while self.held:
            with self.held.popleft() as connection:
                self.send(connection, random.randbytes(random.randrange(1, NOISE_BYTES_MAX)))  # noqa: S311 - noise


def is_over(connection: socket.socket) -> bool:
    """Whether the other end has hung up; then so do we."""
    try:
        if connection.recv(4096) != b"":
            return False
    except BlockingIOError:
        return False
    except OSError:
        pass
    connection.close()
    return True


def main() -> None:
    """Attack until stdin ends."""
    way, path = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    attack = Attack(path)
    bother = getattr(attack, way)
    bother()
    say("begun")
    least = LEAST.get(way, 0)
    while not wants_to_end(0.01):
        bother()
        if least and attack.made >= least:
            say("enough")
            least = 0
    say(str(attack.made))


def say(line: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
