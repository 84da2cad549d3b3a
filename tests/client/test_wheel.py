"""The two wheels: native where a compiler works, else pure; and what an installer makes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.shims import CLIENT, compiler

SCRIPT = "token_broker_client-0.1.0.data/scripts/keyring-shim"
needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


def build(place: Path, kind: str, **variables: str) -> tuple[Path, str]:
    """Build `kind` from a copy of the client's source; return the file and what was said."""
    source = place / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("CC", "TOKEN_BROKER_PURE")
    }
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(place / "dist")],
        cwd=source,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (place / "dist").iterdir()
    return built, done.stdout + done.stderr


def installed(wheel: Path, folder: Path) -> Path:
    """Install the wheel into a new environment; return its keyring-shim."""
    venv.create(folder, symlinks=True)
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    subprocess.run([*command, "--no-index", "--no-deps", str(wheel)], check=True)
    return folder / "bin/keyring-shim"


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    """The wheel with the native shim of this machine."""
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        yield build(Path(folder), "wheel")[0]


@needs_compiler
@pytest.mark.xdist_group("wheel")
def test_native_wheel_is_for_this_platform_and_has_the_program(wheel: Path) -> None:
    assert wheel.name.startswith("token_broker_client-0.1.0-py3-none-")
    assert not wheel.name.endswith("-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        program = archive.read(SCRIPT)
    assert not program.startswith(b"#!")
    assert b"keyring-shim, built with " in program
    assert {"token_broker_client.py", "token_broker_keyring.py", SCRIPT} <= names
    assert not [name for name in names if name.endswith(".c") or "build_shim" in name]


@needs_compiler
@pytest.mark.xdist_group("wheel")
def test_native_wheel_installs_a_program_that_runs(wheel: Path, place: Path) -> None:
    shim = installed(wheel, place / "environment")

    done = subprocess.run(
        [shim, "get", "https://feed.example/", "Fred"],
        env={"HOME": str(place)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"TOKEN_BROKER_PURE": "1"}, "TOKEN_BROKER_PURE is set"),
        ({"CC": "/nowhere/cc"}, "no C compiler works here (tried /nowhere/cc)"),
        ({"CC": "false"}, "no C compiler works here (tried false)"),
    ],
    ids=["asked for", "no compiler", "broken compiler"],
)
def test_pure_wheel_is_for_any_platform_and_says_why(
    place: Path, variables: dict[str, str], reason: str
) -> None:
    wheel, said = build(place, "wheel", **variables)

    assert wheel.name == "token_broker_client-0.1.0-py3-none-any.whl"
    assert said.count(f"token-broker-client: {reason}: the shim of this wheel is in Python") == 1
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(SCRIPT).startswith(b"#!python\n")


@pytest.mark.long
def test_pure_wheel_installs_a_program_that_runs(place: Path) -> None:
    wheel, _ = build(place, "wheel", TOKEN_BROKER_PURE="1")

    shim = installed(wheel, place / "environment")

    done = subprocess.run(
        [shim, "get", "https://feed.example/", "Fred"],
        env={"HOME": str(place), "XDG_RUNTIME_DIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "token-broker: the broker is not running; run: brokerctl setup\n"


@pytest.mark.long
def test_source_distribution_is_installed_where_there_is_no_compiler(place: Path) -> None:
    archive, _ = build(place, "sdist")
    command = [sys.executable, "-m", "pip", "install", "-v", "--no-index", "--no-deps", "--ignore-installed"]

    done = subprocess.run(
        [*command, "--no-build-isolation", "--prefix", str(place / "environment"), str(archive)],
        env={"PATH": str(place), "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "token-broker-client: no C compiler works here (tried musl-gcc, cc, ziglang)" in done.stderr
    assert (place / "environment/bin/keyring-shim").read_text().startswith(f"#!{sys.executable}\n")


def test_source_distribution_has_what_the_build_needs(place: Path) -> None:
    archive, _ = build(place, "sdist")

    with tarfile.open(archive) as files:
        names = {name.split("/", 1)[1] for name in files.getnames()}
    assert {"keyring_shim.c", "keyring_shim.py", "build_shim.py", "LICENSE", "README.md"} <= names
