"""What a gateway loads before its command may begin."""

import json
import subprocess
import sys

from broker.gateway.instructions import Instructions
from tests.gateway.gateway_room import SECRET

BEGINNING = """
import sys
from broker.gateway import gateway_main
gateway_main._serve = lambda *_: None
gateway_main.main()
print(sorted({"asyncio", "h11", "token_broker_client", "concurrent.futures"} & sys.modules.keys()))
"""


def test_port_and_authority_are_there_before_the_rest_is_loaded() -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", BEGINNING],
        input=Instructions(SECRET, frozenset()).written(),
        capture_output=True,
        check=True,
    )

    told, loaded = ended.stdout.splitlines()
    assert set(json.loads(told)) == {"port", "authority"}
    assert loaded == b"[]"
