"""What a gateway loads before its command may begin."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from broker.gateway.instructions import Instructions
from tests.gateway.gateway_room import SECRET

BEGINNING = """
import sys
from broker.gateway import gateway_main
gateway_main._serve = lambda *_: None
gateway_main.main()
late = {"asyncio", "ssl", "h11", "token_broker_client", "concurrent.futures", "broker.core.refresh"}
print(sorted(late & sys.modules.keys()))
"""


def test_authority_is_in_its_file_before_the_rest_is_loaded(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listener, bundle.open("wb") as file:
        line = Instructions(SECRET, frozenset()).written()
        socket.send_fds(ours, [line[:1]], [listener.fileno(), file.fileno()])
        ours.sendall(line[1:])
        ended = subprocess.run(
            [sys.executable, "-P", "-c", BEGINNING], stdin=theirs.fileno(), capture_output=True, check=True
        )

    told, loaded = ended.stdout.splitlines()
    assert json.loads(told) == {"authority": True}
    assert loaded == b"[]"
    assert bundle.read_text().count("BEGIN CERTIFICATE") == 1
