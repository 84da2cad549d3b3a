"""The shims, each in an installation made once a session, and a place for one look-up to happen in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.contract.scripted_broker import ScriptedBroker
from tests.contract.shims import (
    SANITIZER_EXIT,
    Shim,
    compiler,
    emulator,
    install_aarch64,
    install_native,
    install_python,
    python_for_everybody,
    uv,
)

KINDS = (pytest.param("native", marks=pytest.mark.long), "sanitized", "python")
"""The sanitized shim is the native one, watched: what it says, the plain one says too."""
EMULATED = pytest.param("aarch64", marks=pytest.mark.long)
EMULATED_MODULES = ("answers", "budget", "dialects", "order", "places", "trust")
"""Where the program need not know its own file: under an emulator that is the emulator's."""


@dataclass(frozen=True)
class Session:
    """What the tests of one session share: a folder with a short path, and the installations in it."""

    folder: Path
    system_socket: Path
    programs: dict[str, Path]


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """A session's folder. Short, for a socket's path has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="shim-"))
    folder.chmod(0o755)
    yield Session(folder, folder / "system" / "broker.sock", {})
    shutil.rmtree(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the suite with each kind of shim."""
    if "kind" in metafunc.fixturenames:
        is_emulated = metafunc.module.__name__.rpartition(".test_")[2] in EMULATED_MODULES
        kinds = [*KINDS, EMULATED] if is_emulated else KINDS
        metafunc.parametrize("kind", kinds, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind in ("native", "sanitized") and compiler() is None:
        pytest.skip("no C compiler here: the native shim cannot be built")
    if kind == "aarch64" and (emulator() is None or uv() is None):
        pytest.skip("qemu-aarch64-static or uv is not here: this program cannot be run or built")
    return kind


def installed(session: Session, kind: str) -> Path:
    """Return the installed shim of this kind, made when the session first asks for it."""
    if kind not in session.programs:
        folder = session.folder / kind
        if kind == "python":
            session.programs[kind] = install_python(folder, session.system_socket)
        elif kind == "aarch64":
            session.programs[kind] = install_aarch64(folder, session.system_socket)
        else:
            session.programs[kind] = install_native(
                folder, session.system_socket, sanitized=kind == "sanitized"
            )
    return session.programs[kind]


@pytest.fixture
def program(session: Session, kind: str) -> Path:
    """The installed shim of this kind."""
    return installed(session, kind)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path, mode 0700."""
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def environment(place: Path) -> dict[str, str]:
    """A user's variables: HOME and the runtime directory below `place`, and nothing on PATH."""
    for folder in ("home", "run", "empty"):
        (place / folder).mkdir(mode=0o700)
    return {
        "HOME": f"{place}/home",
        "XDG_RUNTIME_DIR": f"{place}/run",
        "PATH": f"{place}/empty",
        "TOKEN_BROKER_TIMEOUT": "20",
        "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_leaks=0",
        "UBSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}",
    }


@pytest.fixture
def shim(program: Path, kind: str, environment: dict[str, str], place: Path) -> Shim:
    """The shim under contract, run in an empty working directory."""
    prefix = (str(emulator()),) if kind == "aarch64" else ()
    return Shim(program, environment, place / "empty", prefix)


@pytest.fixture
def strangers_shim(shim: Shim, kind: str, session: Session) -> Shim:
    """The shim under contract, installed so that another user can run it."""
    if kind != "python":
        return shim
    interpreter = python_for_everybody()
    if interpreter is None:
        pytest.skip("no Python here can be run by other users")
    name = "python-for-everybody"
    if name not in session.programs:
        folder = session.folder / name
        session.programs[name] = install_python(folder, session.system_socket, interpreter)
    return replace(shim, program=session.programs[name])


@pytest.fixture
def broker(environment: dict[str, str]) -> Iterator[ScriptedBroker]:
    """The user's broker, where the shim looks for it."""
    with ScriptedBroker(Path(environment["XDG_RUNTIME_DIR"], "token-broker", "broker.sock")) as broker:
        yield broker


@pytest.fixture
def system_broker(session: Session) -> Iterator[ScriptedBroker]:
    """The system's broker, in a directory that only its owner can write."""
    with ScriptedBroker(session.system_socket) as broker:
        session.system_socket.parent.chmod(0o755)
        yield broker
    shutil.rmtree(session.system_socket.parent)


@pytest.fixture
def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act for two users")
