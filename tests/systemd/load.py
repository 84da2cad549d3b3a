"""Clients that look up without a pause until stdin ends; then the numbers of answers and of failures.

A program for the machine's users: `load.py CLIENTS TOKEN COMMAND...`. Next: `test_load.py`.
"""

import json
import subprocess
import sys
import threading


def main() -> None:
    """Say `begun` after the first answer; at the end print how it went."""
    clients, token, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    told = threading.Event()
    answered = [0] * clients
    failures: list[str] = []

    def ask(client: int) -> None:
        while not told.is_set():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout == f"{token}\n":
                answered[client] += 1
            else:
                failures.append(f"{done.returncode} {done.stderr.strip()}")

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for _ in sys.stdin:
        sys.stdout.write(f"{sum(answered)}\n")  # how far we are, whenever somebody asks by a line
        sys.stdout.flush()
    told.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"answered": sum(answered), "failures": failures}))


if __name__ == "__main__":
    main()
