"""What one user does to the system broker, and what another one notices of it.

A program for the machine's users: `flood.py flood SOCKET` opens connections by the 10,000 until stdin says
something, and prints how many it was given; `flood.py ask SOCKET TARGET TIMES` prints how long each of its
look-ups took, in seconds. Next: `test_fairness.py`.
"""

import json
import select
import socket
import sys
import time

AT_ONCE = 10_000
APART_S = 0.025
"""More often than 50 times a second nobody is answered, so nobody asks here."""


def flood(path: str) -> None:
    """Open, hold and hang up, as fast as this machine can."""
    given = 0
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        held: list[socket.socket] = []
        while len(held) < AT_ONCE and not select.select([sys.stdin], [], [], 0)[0]:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(0)
            try:
                client.connect(path)
            except BlockingIOError:  # the backlog is full
                client.close()
                continue
            held.append(client)
        given += len(held)
        for client in held:
            client.close()
    sys.stdout.write(f"{given}\n")


def ask(path: str, target: str, times: int) -> None:
    """Ask at an even pace, as a build would, each time on a connection of its own."""
    request = f"GET {target} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n".encode()
    took_s = []
    for _ in range(times):
        begun = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(request)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        assert b"200 OK" in answer, answer
        took_s.append(time.perf_counter() - begun)
        select.select([], [], [], APART_S)
    sys.stdout.write(json.dumps(took_s))


if __name__ == "__main__":
    if sys.argv[1] == "flood":
        flood(sys.argv[2])
    else:
        ask(sys.argv[2], sys.argv[3], int(sys.argv[4]))
