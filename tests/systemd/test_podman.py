"""docs/containers.md is typed with real Podman: rootless as alice, and as root, as Docker's engine would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.pages import told
from tests.systemd.account import CONFIG, SERVICE_UNIT, SOCKET_UNIT
from tests.systemd.installation import UV
from tests.systemd.podman import BASE, Podman, debian, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.account import Account

pytestmark = pytest.mark.long

PASSWORD = "sesame-of-the-index"
PROJECT = """[project]
name = "project"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo-package"]

[[tool.uv.index]]
name = "corp"
url = "{index}"
default = true
"""
FEED = """[[feed]]
name = "corp"
url = "{feed}"
provider = "command"
command = ["/bin/echo", "{password}"]
verify = false
"""
LOOK_UP = 'sh -c "keyring get {feed} VssSessionToken"'


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """The feed's address."""
    with WebServer(PackageIndex([wheel("demo-package", "1.0")], passwords=[PASSWORD])) as server:
        yield f"{server.url}/simple/"


@pytest.fixture(scope="module")
def podman(
    _installed: Account, index: str, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Podman]:
    """Alice with a share, a project, and the image that the page makes, which both engines have."""
    if gone := missing():
        pytest.skip(f"not installed: {', '.join(gone)}")
    alice = _installed
    engines = Podman(alice.machine, alice, debian(pytestconfig.cache.mkdir("debian-image")))
    alice.write(CONFIG, FEED.format(feed=index, password=PASSWORD), 0o600)
    alice.write("project/pyproject.toml", PROJECT.format(index=index.replace("://", "://VssSessionToken@")))
    alice.write("image/Dockerfile", f"FROM {BASE}\nCOPY uv /usr/local/bin/uv\n{client_of_the_page()}")
    alice.write("image/wheels/.keep", "")
    wheels = tmp_path_factory.mktemp("wheels")
    build = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels)
    subprocess.run([*build, ROOT / "client"], check=True, capture_output=True)
    for path in (*wheels.iterdir(), UV.resolve()):
        shutil.copy(path, alice.home / "image" / ("" if path.name == "uv" else "wheels"))
    alice.machine.run("root", "chown", "-R", "alice", "/home/alice/image")
    engines.as_alice("brokerctl setup")
    engines.as_alice("podman build -q -t client .", folder="image")
    engines.as_root("podman build -q -t client /home/alice/image")
    yield engines
    for engine in (engines.as_alice, engines.as_root):
        engine("podman rm -f --all; podman rmi -f --all", check=False)
    alice.systemctl("stop", SOCKET_UNIT, SERVICE_UNIT, check=False)
    alice.machine.run("root", "rm", "-rf", "/home/alice/.local/share/containers")
    alice.clear()


@pytest.fixture
def shared(podman: Podman) -> Podman:
    """The share of the page is there."""
    podman.as_alice("brokerctl start")
    podman.as_alice(told("containers", SHARE))
    return podman


SHARE = "Containers, devcontainers and other machines"
RECIPES = "Recipes"
DESKTOP = "Docker Desktop on a Mac, and wherever sockets cannot be mounted"


def client_of_the_page() -> str:
    return told("containers", "In the image", kind="dockerfile")


def run(line: str) -> str:
    """A recipe with the image that was made, and without the packages of an earlier one."""
    return f"rm -rf .venv; {line.replace('IMAGE', 'client')}"


def look_up(options: str, index: str) -> str:
    """A look-up in a container with the share mounted as the page mounts it."""
    mount = '-v "$XDG_RUNTIME_DIR/token-broker/shares/dev:/run/broker:ro"'
    return f"podman run --rm {options} {mount} client keyring get {index} VssSessionToken"


def as_docker(line: str) -> str:
    return line.replace("podman run", "docker run")


def test_podman_recipe_syncs_a_project_rootless(shared: Podman) -> None:
    done = shared.as_alice(run(told("containers", RECIPES, 1)), folder="project")

    assert "demo-package==1.0" in done.stderr


def test_docker_recipe_syncs_a_project_with_an_engine_of_root(shared: Podman) -> None:
    done = shared.as_docker(run(told("containers", RECIPES, 0)), folder="project")

    assert "demo-package==1.0" in done.stderr


def test_the_lines_that_share_prints_start_a_container_that_is_answered(shared: Podman, index: str) -> None:
    printed = shared.as_alice(told("containers", SHARE)).stdout
    asks = f"client keyring get {index} VssSessionToken"
    by_docker, by_podman = (
        line.strip().partition("  ")[2].replace("IMAGE", asks)
        for line in printed.splitlines()
        if line.startswith(("  docker", "  podman"))
    )

    answers = (shared.as_docker(by_docker), shared.as_alice(by_podman))

    assert [each.stdout for each in answers] == [f"{PASSWORD}\n"] * 2


@pytest.mark.parametrize("options", ["", "--userns=keep-id"])
def test_rootless_container_is_answered_as_its_root_and_as_a_user_of_its_own(
    shared: Podman, index: str, options: str
) -> None:
    assert shared.as_alice(look_up(options, index)).stdout == f"{PASSWORD}\n"


REFUSED = {
    "rootless, as a user of the image": (
        "--user 1000",
        (
            "belongs to uid 0, not to you, and lets only its owner in; "
            "run: docker run --user UID, or podman run --userns=keep-id"
        ),
        "--userns=keep-id",
    ),
}
REFUSED_AS_DOCKER = {
    "root": (
        "",
        "belongs to uid 1001, not to you; run: export TOKEN_BROKER_TRUST_UID=1001 if you trust it",
        '--user "$(id -u):$(id -g)"',
    ),
    "root that trusts": (
        '-e TOKEN_BROKER_TRUST_UID="$(id -u)"',
        (
            "you are a user who has no number in the broker's user namespace (65534), such as root; "
            "run: docker run --user 1001 IMAGE"
        ),
        "--user 1001",
    ),
    "another user": (
        "--user 10001:10001",
        "belongs to uid 1001, not to you, and lets only its owner in; run: docker run --user UID",
        "--user 1001",
    ),
    "userns-remap": (
        "--uidmap 0:300000:65536 --gidmap 0:300000:65536",
        (
            "belongs to uid 65534, not to you: a user who has no number in this container; "
            "run: docker run --userns=host --user UID, or podman run --userns=keep-id"
        ),
        "--userns=host --user 1001",
    ),
}


@pytest.mark.parametrize(("options", "said", "cure"), REFUSED.values(), ids=REFUSED)
def test_what_a_rootless_container_is_told_helps(
    shared: Podman, index: str, options: str, said: str, cure: str
) -> None:
    refused = shared.as_alice(look_up(options, index), check=False)
    cured = shared.as_alice(look_up(cure, index))

    assert (refused.stdout, cured.stdout) == ("", f"{PASSWORD}\n")
    assert said in refused.stderr


@pytest.mark.parametrize(("options", "said", "cure"), REFUSED_AS_DOCKER.values(), ids=REFUSED_AS_DOCKER)
def test_what_a_container_of_roots_engine_is_told_helps(
    shared: Podman, index: str, options: str, said: str, cure: str
) -> None:
    refused = shared.as_docker(as_docker(look_up(options, index)), check=False)
    cured = shared.as_docker(as_docker(look_up(cure, index)))

    assert (refused.stdout, cured.stdout) == ("", f"{PASSWORD}\n")
    assert said in refused.stderr


def test_container_goes_on_through_the_end_of_the_share_and_of_the_broker(shared: Podman, index: str) -> None:
    mount = '-v "$XDG_RUNTIME_DIR/token-broker/shares/dev:/run/broker:ro"'
    shared.as_alice(f"podman run -d --name goes-on --userns=keep-id {mount} client sleep 600")
    ask = f"podman exec goes-on keyring get {index} VssSessionToken"
    first = shared.as_alice(ask)
    shared.as_alice("brokerctl share --end dev")
    ended = shared.as_alice(ask, check=False)
    shared.as_alice(ended.stderr.partition("run: ")[2])
    renewed = shared.as_alice(ask)
    shared.as_alice("brokerctl stop")
    stopped = shared.as_alice(ask, check=False)
    shared.as_alice(stopped.stderr.partition("run: ")[2])
    started = shared.as_alice(ask)

    assert [each.stdout for each in (first, renewed, started)] == [f"{PASSWORD}\n"] * 3
    assert (
        "the share dev has ended: renew it on the machine that shares; run: brokerctl share" in ended.stderr
    )
    assert "/run/broker is a share, whose broker is not running" in stopped.stderr
    assert not {"setup"} & set(f"{ended.stderr} {stopped.stderr}".split())


def test_image_needs_no_client_with_the_shares_own_on_path(shared: Podman, index: str) -> None:
    mount = '-v "$XDG_RUNTIME_DIR/token-broker/shares/dev:/run/broker:ro"'
    path = "-e PATH=/run/broker/bin:/usr/bin:/bin"

    done = shared.as_alice(f"podman run --rm {path} {mount} {BASE} keyring get {index} VssSessionToken")

    assert done.stdout == f"{PASSWORD}\n"


def test_native_shim_can_be_mounted_into_an_image(shared: Podman, index: str) -> None:
    shim = '-v "$(realpath "$(command -v keyring-shim)")":/usr/local/bin/keyring:ro'
    mount = '-v "$XDG_RUNTIME_DIR/token-broker/shares/dev:/run/broker:ro"'
    socket = "-e TOKEN_BROKER_SOCKET=/run/broker/broker.sock"

    done = shared.as_alice(
        f"podman run --rm {shim} {socket} {mount} {BASE} keyring get {index} VssSessionToken"
    )

    assert done.stdout == f"{PASSWORD}\n"


def test_build_takes_the_password_as_a_secret_and_the_image_has_none(shared: Podman, index: str) -> None:
    recipe = told("containers", RECIPES, kind="dockerfile").partition("\n")[2]
    alice = shared.alice
    text = f"FROM client\nWORKDIR /project\nCOPY pyproject.toml .\n{recipe}"
    alice.write("project/Dockerfile", text)

    line = told("containers", RECIPES, 2).replace("URL", index).replace("build ", "build -t built ", 1)
    built = shared.as_docker(line, folder="project")
    looked = shared.as_root(
        "podman run --rm built sh -c 'ls .venv/lib/*/site-packages; env; cat uv.lock'; podman history built"
    )

    assert "demo-package==1.0" in built.stdout + built.stderr
    assert "demo_package" in looked.stdout
    assert PASSWORD not in looked.stdout


def test_password_of_the_moment_is_enough_where_no_socket_can_be_mounted(shared: Podman, index: str) -> None:
    starts, executes = (told("containers", DESKTOP, number).replace("URL", index) for number in (0, 1))
    mounted = '-v "$PWD:/project" -w /project -e UV_PROJECT_ENVIRONMENT=/tmp/venv'
    started = run(starts.replace("docker run", f"docker run --rm {mounted}"))

    first = shared.as_docker(started, folder="project")
    shared.as_docker(f"docker run -d --name NAME {mounted} client sleep 600", folder="project")
    second = shared.as_docker(executes, folder="project")

    assert "demo-package==1.0" in first.stderr
    assert "demo-package==1.0" in second.stderr
