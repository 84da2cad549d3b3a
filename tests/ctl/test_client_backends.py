"""`brokerctl setup --clients` with a real environment of `uv tool`: the client's keyring has our backend."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step
from broker.ctl.setup.screen import show_plan
from tests.ctl.homes import tree, write
from tests.e2e.toolbox import Toolbox
from tests.fakes.clients import UV
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

OUTSIDE = dict(os.environ)
"""Of whoever runs the tests: the long one takes twine from wherever this machine's uv takes packages."""

TOOL = ".local/share/uv/tools/twine"
LISTS_BACKENDS = """
from importlib.metadata import entry_points
[found] = entry_points(group="keyring.backends", name="token-broker")
print(found.load().__name__, found.dist.metadata["Name"])
"""


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> Path:
    """A tool named twine, which `uv tool` installed in the home, with a keyring library."""
    made = wheel("twine", commands=("twine",))
    (tmp_path / made.filename).write_bytes(made.content)
    uv_tool(home, "install", "--offline", "--python", sys.executable, str(tmp_path / made.filename))
    [packages] = (home / TOOL).glob("lib/python*/site-packages")
    write(packages / "keyring/__init__.py", "")
    return home / TOOL


def uv_tool(home: Path, *words: str) -> None:
    places = {
        "HOME": str(home),
        "UV_TOOL_DIR": str((home / TOOL).parent),
        "UV_TOOL_BIN_DIR": str(home / ".local/bin"),
    }
    subprocess.run([UV, "tool", *words], env={**OUTSIDE, **places}, check=True, capture_output=True)


def backends(environment: Path) -> str:
    done = subprocess.run(
        [environment / "bin/python", "-B", "-c", LISTS_BACKENDS],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.splitlines()[-1]


def test_client_gets_our_backend_and_teardown_takes_it_away(
    brokerctl: Brokerctl, home: Path, environment: Path
) -> None:
    before = tree(home)

    ended = brokerctl("setup", "--clients")
    found = backends(environment)
    brokerctl("teardown")

    assert f"our backend is in {str(environment).replace(str(home), '~')}" in ended.stdout
    assert found == "token_broker_keyring token-broker-client"
    assert tree(home) == before


def test_a_file_that_two_clients_need_is_planned_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    steps = [
        Step(client, "", [Write(tmp_path / "shared", "x"), Write(tmp_path / client, "x")]) for client in "ab"
    ]

    show_plan(steps, lambda path: path.name, expected="")

    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["shared", "a", "b"]


def test_backend_that_was_installed_already_stays_the_only_one(
    brokerctl: Brokerctl, home: Path, environment: Path
) -> None:
    [library] = environment.glob("lib/python*/site-packages/keyring")
    write(library.with_name("token_broker_keyring.py"), "")

    ended = brokerctl("setup", "--clients")

    assert "our backend is in" in ended.stdout
    assert not library.with_name("token-broker-client.pth").exists()
    assert not (home / ".local/share/token-broker/keyring-backend").exists()


def test_undo_script_takes_it_away_when_brokerctl_is_gone(
    brokerctl: Brokerctl, home: Path, environment: Path
) -> None:
    before = tree(home)
    brokerctl("setup", "--clients")
    assert "token_broker_keyring" in backends(environment)

    subprocess.run(["sh", home / ".local/share/token-broker/setup/undo.sh"], check=True, capture_output=True)

    assert tree(home) == before


def test_client_is_left_alone_where_nobody_asked_for_it(
    brokerctl: Brokerctl, home: Path, environment: Path
) -> None:
    brokerctl("setup")

    assert "ValueError" in backends(environment)
    assert not (home / ".local/share/token-broker/keyring-backend").exists()


def test_environment_that_was_made_anew_is_repaired_by_the_next_set_up(
    brokerctl: Brokerctl, environment: Path
) -> None:
    brokerctl("setup", "--clients")
    [line] = environment.glob("lib/python*/site-packages/token-broker-client.pth")
    line.unlink()

    brokerctl("setup")

    assert backends(environment) == "token_broker_keyring token-broker-client"


def test_environment_without_the_library_stays_and_what_to_type_is_said(
    brokerctl: Brokerctl, environment: Path
) -> None:
    [library] = environment.glob("lib/python*/site-packages/keyring/__init__.py")
    library.unlink()

    ended = brokerctl("setup", "--clients")

    line = "uv tool install twine --with wheels/token_broker_client-*.whl --with keyring"
    said = "~/.local/share/uv/tools/twine stays as it is: it lacks the keyring library"
    assert f"{said}   {line}" in ended.stdout
    assert "ValueError" in backends(environment)


def test_a_set_up_of_the_machine_has_no_users_tools(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("setup", "--clients", "--all-users", "--root", str(home))

    assert (ended.exit_code, list(home.iterdir())) == (2, [])
    assert "--clients is for one user's own tools" in ended.stderr


@pytest.mark.long
def test_keyring_library_of_the_real_twine_has_it_also_after_an_upgrade(
    brokerctl: Brokerctl, home: Path
) -> None:
    uv_tool(home, "install", "--python", sys.executable, "twine")
    listing: list[str | Path] = [home / TOOL / "bin/python", "-m", "keyring", "--list-backends"]

    brokerctl("setup", "--clients")
    uv_tool(home, "upgrade", "twine")
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    brokerctl("teardown")

    assert "token_broker_keyring.TokenBrokerKeyring" in listed
    assert "token_broker" not in subprocess.run(listing, capture_output=True, text=True, check=True).stdout


@pytest.mark.long
@pytest.mark.parametrize("folder", [".local/share/pipx", "elsewhere/px"])
def test_keyring_library_of_a_tool_of_the_real_pipx_has_it_wherever_pipx_keeps_it(
    brokerctl: Brokerctl, home: Path, tmp_path: Path, folder: str
) -> None:
    pipx = Toolbox(tmp_path).program("pipx", library=False)
    places = {"HOME": str(home), "PIPX_HOME": str(home / folder), "PIPX_BIN_DIR": str(home / ".local/bin")}
    install: list[str | Path] = [pipx, "install", "--backend", "pip", "twine"]
    subprocess.run(install, env={**OUTSIDE, **places}, check=True, capture_output=True)
    python = home / folder / "venvs/twine/bin/python"
    listing: list[str | Path] = [python, "-B", "-m", "keyring", "--list-backends"]
    before = tree(home)

    ended = brokerctl("setup", "--clients")
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    brokerctl("teardown")

    assert f"our backend is in ~/{folder}/venvs/twine" in ended.stdout
    assert "token_broker_keyring.TokenBrokerKeyring" in listed
    assert tree(home) == before
