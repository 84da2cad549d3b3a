"""What the daemon says of its providers without loading them is true."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from broker.daemon.built_in_providers import PROVIDERS
from broker.host.http import Http
from broker.providers.protocol import ProviderContext, Recognising

if TYPE_CHECKING:
    from pathlib import Path

    from broker.daemon.built_in_providers import BuiltInProvider

STARTS = """
import sys
from datetime import UTC, datetime
from broker.config.load import load
from broker.config.model import Layer
from broker.daemon.built_in_providers import PROVIDERS
from broker.daemon.feed_table_builder import providers_of, schema_of, table_of
from broker.host.http import Http
from broker.providers.protocol import ProviderContext

config = load([Layer(sys.argv[1], "test")], schema_of(PROVIDERS))
made = providers_of(PROVIDERS, config, ProviderContext(Http(), {}, lambda: datetime.now(UTC)))
table_of(config, made)
rooms = ("broker.providers.azure.provider", "broker.providers.artifactory", "broker.providers.cloudsmith")
before = [name for name in rooms if name in sys.modules]
provider = made["azure"]
print(before, [name for name in rooms if name in sys.modules], provider.name)
"""

FEED = """
[[feed]]
url = "https://packages.example.com/simple/"
provider = "command"
command = ["true"]
"""


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda each: each.name)
def test_each_is_there_by_its_name_and_recognises_as_told(provider: BuiltInProvider) -> None:
    made = provider(ProviderContext(Http(), {}, lambda: pytest.fail("no time is asked for")))

    assert made.name == provider.name == provider.provider_class.name
    assert isinstance(made, Recognising) == provider.recognises


LOADS_ALL = """
import asyncio, sys
from broker.daemon import built_in_providers as built_in
from broker.host.clock import SystemClock
built_in.LOAD_AFTER_S = 0.0
place = "broker.providers.azure.provider"
before = place in sys.modules
asyncio.run(built_in.load_all_soon(SystemClock()))
print(before, place in sys.modules)
"""


def test_those_that_no_feed_needs_are_loaded_beside_the_loop(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LOADS_ALL], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert told.stdout == "False True\n"


def test_a_provider_is_loaded_when_a_feed_first_needs_it(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", STARTS, FEED], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert told.stdout == "[] ['broker.providers.azure.provider'] azure\n"
