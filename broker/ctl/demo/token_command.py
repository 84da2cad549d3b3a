"""What stands for `az` in the demo: a program that takes its time and prints a token.

    python -m broker.ctl.demo.token_command URL FILE SECONDS

The sign-in secret is read from FILE, as a real tool reads what it stored when its user signed in.
"""

import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from broker.host.clock import SystemClock

LIMIT_S = 10.0


def main() -> None:
    """Print the JSON object that the `command` provider reads."""
    url, file, takes_s = sys.argv[1:]
    SystemClock().pause(float(takes_s))  # `az account get-access-token` takes 0.7 to 1.5 s
    secret = Path(file).read_text()
    where = urlsplit(url)
    connection = HTTPConnection(str(where.hostname), where.port, timeout=LIMIT_S)  # and never by a proxy
    connection.request("POST", where.path, b"", {"Authorization": f"Bearer {secret}"})
    sys.stdout.write(connection.getresponse().read().decode())


if __name__ == "__main__":
    main()
