"""The real hatch publishes through the backend of the keyring library. It heeds no proxy (1.18.2 gives its
HTTP client a transport of its own), so the registry is on loopback itself, behind TLS. Next: `test_pipx.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.town import Town
from tests.e2e.workbench import Workbench
from tests.fakes.authority import shared_authority
from tests.fakes.loopback import LOOPBACK, WebServer
from tests.fakes.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("hatch")]

PASSWORD = "open-sesame-on-loopback"


@pytest.fixture
def registry() -> Registry:
    return Registry(
        [],
        root="/simple/",
        files="/files/",
        upload="/legacy/",
        opens=lambda *pair: pair == ("ci", PASSWORD),
    )


@pytest.fixture
def upload(town: Town, registry: Registry) -> Iterator[str]:
    """Where the registry takes packages in; a feed of the household's."""
    with WebServer(registry, tls=shared_authority().server_context(LOOPBACK)) as server:
        url = f"{server.url}/legacy/"
        town.house.configure(town.house.plain_feed("loopback", url=url, password=PASSWORD))
        assert town.wire.post("/v1/reload").status == 200
        yield url


@pytest.fixture
def hatch(town: Town, toolbox: Toolbox, tmp_path: Path) -> Workbench:
    bench = Workbench(town, tmp_path, toolbox.program("hatch", library=True))
    bench.project("")
    return bench


def test_hatch_publishes_as_the_user_that_it_is_told(
    hatch: Workbench, registry: Registry, upload: str
) -> None:
    built = hatch.build("household")

    asked = hatch.work("publish", "--no-prompt", "--repo", upload, "--user", "ci")

    assert asked == [(upload, "yes")]
    assert registry.wheels == [built]
    assert ("/legacy/", "ci") in registry.requests.entries


def test_hatch_without_a_user_asks_nobody(town: Town, hatch: Workbench, upload: str) -> None:
    hatch.build("household")
    before = town.count()

    done = hatch.run("publish", "--no-prompt", "--repo", upload)

    assert done.exit_code != 0
    assert "Missing required option: user" in done.text
    assert town.asked_since(before) == []
