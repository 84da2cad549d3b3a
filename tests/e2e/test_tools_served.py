"""Every real tool that runs uv or pip, or asks a keyring of its own, is served: in an `exec`, by its private
broker alone, and in a container, by nothing but a share. Without us each of them fails.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, Household, household
from tests.e2e.real_tools import APP, TOOLS, UPLOADS, ToolBench
from tests.e2e.why_cases import AS_CI
from tests.fakes.authority import shared_authority
from tests.fakes.loopback import LOOPBACK, WebServer
from tests.fakes.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("tools")]

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
WITHOUT_A_NAME = ("pdm with the library", "poetry")
"""These are given a source without a user name (docs/clients.md)."""

FETCHES_ITS_INSTALLER = {"pipx": ("pip",), "pre-commit": ("setuptools",)}
"""What these want of the index besides: for themselves, and to build in isolation."""

UPLOAD_HOST = "uploads.example"
HATCHES = ("hatch publish",)
"""It heeds no proxy, so it publishes to loopback itself (`test_hatch.py`)."""

INTO_A_CONTAINER = """
mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && mount -t tmpfs none "$3" || exit 125
shift 3
exec "$@"
"""
"""Mounts a share's folder at the second place, and covers the third, where the host's brokers are."""

NAMES = [name if name == "twine" else pytest.param(name, marks=pytest.mark.long) for name in TOOLS]


class Neighbourhood:
    """A household that no daemon serves, and where its tools read and publish."""

    def __init__(self, house: Household, registry: Registry, loopback: str) -> None:
        self.house = house
        self.registry = registry
        self._uploads = dict.fromkeys(HATCHES, loopback)

    def index(self, name: str) -> str:
        """What the tool is given."""
        if name in UPLOADS:
            return self._uploads.get(name, f"https://{UPLOAD_HOST}/legacy/")
        return PLAIN_FEED if name in WITHOUT_A_NAME else AS_CI


@pytest.fixture(scope="module")
def neighbourhood() -> Iterator[Neighbourhood]:
    registry = Registry(
        [],
        root="/simple/",
        files="/files/",
        upload="/legacy/",
        opens=lambda *pair: pair == ("ci", PLAIN_PASSWORD),
    )
    with household() as house, WebServer(registry, tls=shared_authority().server_context(LOOPBACK)) as server:
        house.proxy.route(UPLOAD_HOST, registry)
        house.packages.wheels.append(APP)
        loopback = f"{server.url}/legacy/"
        more = (("uploads", f"https://{UPLOAD_HOST}/legacy/"), ("loopback", loopback))
        feeds = [house.plain_feed(), *(house.plain_feed(name, url=url) for name, url in more)]
        house.configure("auto = false\n" + "".join(feeds))
        yield Neighbourhood(house, registry, loopback)


@pytest.fixture
def bench(
    neighbourhood: Neighbourhood, toolbox: Toolbox, tmp_path: Path, request: pytest.FixtureRequest
) -> ToolBench:
    name: str = request.param
    served = neighbourhood.house.packages.wheels
    for project in FETCHES_ITS_INSTALLER.get(name, ()):
        if project not in {each.project for each in served}:
            served.append(toolbox.newest(project))
    neighbourhood.registry.wheels.clear()
    return ToolBench(neighbourhood.house, toolbox, tmp_path, name, neighbourhood.index(name))


@pytest.mark.parametrize("bench", NAMES, indirect=True)
def test_exec_serves_the_tool_that_fails_without_it(neighbourhood: Neighbourhood, bench: ToolBench) -> None:
    for variable in ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER", "TOKEN_BROKER_AUTOSTART"):
        bench.environment.pop(variable)
    bench.environment["PATH"] = bench.environment["PATH"].removeprefix(f"{neighbourhood.house.bin}:")

    without = bench.run("env", "TOKEN_BROKER_AUTOSTART=0")
    done = bench.run(BROKERCTL, "exec", "--")

    assert without.exit_code != 0, without.text
    assert done.exit_code == 0, done.text
    assert PLAIN_PASSWORD not in done.text
    assert not neighbourhood.house.socket.exists()


@pytest.mark.long
@pytest.mark.parametrize("bench", NAMES, indirect=True)
def test_share_serves_the_tool_in_a_container(
    neighbourhood: Neighbourhood, bench: ToolBench, tmp_path: Path
) -> None:
    house = neighbourhood.house
    mounted = tmp_path / "broker"
    mounted.mkdir()
    runtime = house.environment["XDG_RUNTIME_DIR"]
    bench.environment |= {
        "TOKEN_BROKER_SOCKET": f"{mounted}/broker.sock",
        "PATH": bench.environment["PATH"].replace(str(house.bin), f"{mounted}/bin", 1),
    }
    inside = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", INTO_A_CONTAINER, "sh")

    with house.brokerd():
        feeds = [word for name in ("plain", "uploads", "loopback") for word in ("--feed", name)]
        shared = house._run([BROKERCTL, "share", *feeds, "--for", "1h", "--name", "dev"], tmp_path, {})
        folder = house.socket.parent / "shares" / "dev"
        done = bench.run(*inside, folder, mounted, runtime)

    assert shared.exit_code == 0, shared.text
    assert done.exit_code == 0, done.text
    assert PLAIN_PASSWORD not in done.text
