"""Our keyring backend for clients that import the keyring library, in environments of pipx and `uv tool`.

Nothing is installed there, since token-broker-client may be on no index that they reach: a `.pth` file in
the environment names a folder of ours, which has copies of the two modules and their entry point. pip, pipx
and uv do not know of it, so it is in no upgrade's way; an upgrade that makes the environment anew takes the
file away, and doctor says so. Read library_clients next.
"""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import token_broker_client as client

from broker.ctl.clients.library_clients import (
    BACKEND,
    PTH,
    LibraryClient,
    clients_with_library,
    site_packages,
)
from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs

INFO = "token_broker_client.dist-info"
COMPILED = "__pycache__"
"""A file of this name keeps Python from leaving compiled modules, which teardown would not know of."""


def backend_steps(user_dirs: UserDirs) -> Iterator[Step]:
    """A step for each such client that is on PATH: its line in its environment, after our folder's files."""
    found = list(clients_with_library(user_dirs))
    if not found:
        yield Step("clients", "none of poetry, twine, hatch and pdm is on PATH", (), StepMark.OPEN)
    for each in found:
        yield _step(each, user_dirs)


def _step(found: LibraryClient, user_dirs: UserDirs) -> Step:
    environment = user_dirs.shown(found.environment)
    if found.lacks is not None and not found.is_reachable:
        said = f"{environment} stays as it is: it lacks {found.lacks}"
        return Step(found.name, said, (), StepMark.OPEN, found.repair)
    changes: list[Write] = []
    if found.is_reachable:
        line = f"{user_dirs.backend}\n"
        changes += _files(user_dirs.backend)
        changes += (Write(folder / PTH, line) for folder in site_packages(found.environment))
    return Step(found.name, f"our backend is in {environment}", changes)


def _files(folder: Path) -> Iterator[Write]:
    told = distribution("token-broker-client")
    modules = Path(client.__file__).parent
    for name in (Path(client.__file__).name, BACKEND):
        yield Write(folder / name, (modules / name).read_text())
    for name in ("METADATA", "entry_points.txt"):
        yield Write(folder / INFO / name, told.read_text(name) or "")
    yield Write(folder / COMPILED)
