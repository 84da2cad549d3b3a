"""Clients that import the keyring library instead of running `keyring`: whether theirs has our backend.

poetry, twine and hatch ask nobody without it (field facts 14); pdm falls back to the `keyring` program.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from broker.ctl.clients.client_index import UV
from broker.ctl.clients.foreign_files import matching
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.trusted_file import UnreadableFile, read

LIBRARY_CLIENTS = ("poetry", "twine", "hatch")
"""Those that never run the program."""

PACKAGE = "wheels/token_broker_client-*.whl"
BACKEND = "token_broker_keyring.py"
PTH = "token-broker-client.pth"
"""What `brokerctl setup --clients` writes into an environment: it names the folder with our backend."""

OLDEST = (3, 11)
"""The first Python that runs our backend."""

PIPX_VENVS, UV_TOOLS = ("pipx", "venvs"), ("uv", "tools")
"""The last folders of the places that pipx and uv choose by themselves."""

PIPX_RECORD, UV_RECORD = "pipx_metadata.json", "uv-receipt.toml"
"""What each writes into an environment of its own (pipx 1.18.4, uv 0.13.9, run)."""

PDM = "pdm"
SHEBANG_BYTES = 1024
SHELL = b"#!/bin/sh"
"""Begins the script of an environment whose path has a blank, as on a Mac, or is long (pip's distlib, uv)."""

_EXEC = re.compile(rb"'''exec' (?P<word>\S.*) \"\$0\" \"\$@\"")


@dataclass(frozen=True, slots=True)
class LibraryClient:
    """One such client, its environment, what that `lacks`, and the command that puts it there."""

    name: str
    environment: Path
    lacks: str | None
    repair: str | None
    has_library: bool = False
    has_package: bool = False

    @property
    def is_reachable(self) -> bool:
        """True where `brokerctl setup --clients` gives it our backend, which nobody installed there."""
        is_open = self.has_library and not self.has_package and _is_of_a_tool(self.environment)
        return is_open and bool(site_packages(self.environment))


def library_clients(user_dirs: UserDirs) -> Iterator[LibraryClient]:
    """Those that are on PATH in an environment that can be looked into."""
    for name in LIBRARY_CLIENTS:
        program = user_dirs.program(name)
        found = None if program is None else library_client(name, program)
        if found is not None:
            yield found


def clients_with_library(user_dirs: UserDirs) -> Iterator[LibraryClient]:
    """The same, and PDM where it would not run the program, because it has the library."""
    yield from library_clients(user_dirs)
    program = user_dirs.program(PDM)
    pdm = None if program is None else library_client(PDM, program)
    if pdm is not None and pdm.has_library:
        yield pdm


def library_client(name: str, program: Path) -> LibraryClient | None:
    """The client that this program starts; None where its environment is no environment of Python's."""
    python = _interpreter(program)
    environment = None if python is None else python.parent.parent
    folders = [] if environment is None else matching(environment, "lib/python*/site-packages")
    if python is None or environment is None or not folders:
        return None
    has_library = any(matching(folder, "keyring/__init__.py") for folder in folders)
    has_package = any(matching(folder, BACKEND) or _is_editable(folder) for folder in folders)
    if has_library and (has_package or any(matching(folder, PTH) for folder in folders)):
        return LibraryClient(name, environment, None, None, has_library, has_package)
    lacks = "our backend" if has_library else "the keyring library"
    repair = repair_of(environment, python, library=has_library)
    return LibraryClient(name, environment, lacks, repair, has_library, has_package)


def repair_of(environment: Path, python: Path, *, library: bool) -> str:
    """The command that puts the backend, and the `library` where it lacks, into an environment."""
    if library and _is_of_a_tool(environment) and site_packages(environment):
        return "brokerctl setup --clients"
    packages = PACKAGE if library else f"{PACKAGE} keyring"
    package, home = environment.name, environment.parent
    match _installer(environment):
        case "pipx":
            chosen = "" if home.parts[-2:] == PIPX_VENVS else f"PIPX_HOME={quote(str(home.parent))} "
            return chosen + f"pipx inject {package} {packages}"
        case "uv":
            chosen = "" if home.parts[-2:] == UV_TOOLS else f"UV_TOOL_DIR={quote(str(home))} "
            more = " ".join(f"--with {each}" for each in packages.split())
            return chosen + f"uv tool install {package} {more}"
    return f"{quote(str(python))} -m pip install {packages}"


def site_packages(environment: Path) -> list[Path]:
    """The folders of an environment's packages, of the Pythons that run our backend."""
    folders = matching(environment, "lib/python*/site-packages")
    return [folder for folder in folders if _version(folder.parent.name) >= OLDEST]


def _version(name: str) -> tuple[int, ...]:
    parts = name.removeprefix("python").split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


def _is_of_a_tool(environment: Path) -> bool:
    """True of an environment that pipx or `uv tool` made."""
    return _installer(environment) is not None


def _installer(environment: Path) -> str | None:
    """Who made an environment for one tool, wherever $PIPX_HOME or $UV_TOOL_DIR put it: pipx or uv."""
    folders = environment.parts[-3:-1]
    if folders == PIPX_VENVS or matching(environment, PIPX_RECORD):
        return "pipx"
    return UV if folders == UV_TOOLS or matching(environment, UV_RECORD) else None


def _is_editable(folder: Path) -> bool:
    return bool(matching(folder, "token_broker_client-*.dist-info"))


def _interpreter(program: Path) -> Path | None:
    """The Python that a script's first lines name; None for what is none of Python's."""
    try:
        first, _, rest = read(program, SHEBANG_BYTES, beginning=True).partition(b"\n")
    except UnreadableFile:
        return None
    named = os.fsdecode(first[2:].strip()).partition(" ")[0]
    by_shell = _EXEC.match(rest) if first.strip() == SHELL else None
    if by_shell is not None:
        named = os.fsdecode(by_shell["word"]).strip("\"'")
    is_python = first.startswith(b"#!/") and Path(named).name.startswith("python")
    return Path(named) if is_python else None
