"""The `keyring` of a project's environment, which `uv run` puts first on PATH (astral-sh/uv#7003)."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from broker.ctl.clients.foreign_files import owners_of_project
from broker.ctl.clients.library_clients import PACKAGE, library_client
from broker.ctl.setup.found_keyrings import is_ours
from broker.ctl.setup.user_dirs import UserDirs

ENVIRONMENT = "UV_PROJECT_ENVIRONMENT"
"""Where uv keeps the project's environment instead of in `.venv`, from the project's folder."""

KEYRING = Path("bin/keyring")


@dataclass(frozen=True, slots=True)
class ProjectKeyring:
    """A `keyring` that asks no broker: what is said of it, and the line that has it ask."""

    said: str
    repair: str


def project_keyring(project: Path, here: Path, user_dirs: UserDirs) -> ProjectKeyring | None:
    """That of the nearest environment of a project, shown as a path from `here`; None where it asks us."""
    environment = _environment(project, here, user_dirs)
    keyring = None if environment is None else here / environment / KEYRING
    if environment is None or keyring is None or not keyring.is_file() or is_ours(keyring):
        return None
    found = library_client("keyring", keyring)
    if found is None or found.lacks is None:
        return None
    return ProjectKeyring(
        f"{environment / KEYRING} is first on PATH in uv run, and its environment lacks {found.lacks}",
        f"uv pip install --python {quote(str(environment))} {PACKAGE}",
    )


def _environment(project: Path, here: Path, user_dirs: UserDirs) -> Path | None:
    """The nearest environment of a project, as a path from `here`: a workspace has one, at its root."""
    named = user_dirs.environ.get(ENVIRONMENT) or ".venv"
    owners = owners_of_project(project)
    for folder in (project, *project.parents):
        with contextlib.suppress(OSError):
            if (folder / named).is_dir() and (folder / named).stat().st_uid in owners:
                is_here = folder == here
                return Path(named) if is_here or Path(named).is_absolute() else folder / named
    return None
