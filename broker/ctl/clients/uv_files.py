"""The files that uv takes its settings from in a directory: not every one that is there is in force.

Next: `uv.py`, which reads them.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from itertools import islice
from pathlib import Path

from broker.ctl.clients.foreign_files import ForeignFile, inner, owners_of_project, toml_file
from broker.ctl.clients.settings_text import first_of
from broker.ctl.setup.user_dirs import UserDirs

FOLDERS = ("UV_WORKING_DIR", "UV_PROJECT")
CONFIG_FILE, NO_CONFIG = "UV_CONFIG_FILE", "UV_NO_CONFIG"
YES = ("1", "on", "t", "true", "y", "yes")
"""What uv takes for yes, in capitals, too (0.13.9, run)."""

OWN, PYPROJECT = "uv.toml", "pyproject.toml"
IN_PYPROJECT = ("tool", "uv")


@dataclass(frozen=True, slots=True)
class UvSettings:
    """A file that uv reads, and the keys that its settings are under."""

    file: ForeignFile
    keys: tuple[str, ...] = ()


def uv_settings(directory: Path, user_dirs: UserDirs) -> Iterator[UvSettings]:
    """The files whose settings are in force in `directory`, the strongest first.

    uv's "Configuration files", and 0.13.9, run: $UV_CONFIG_FILE stands in for all of them, $UV_NO_CONFIG for
    none. Else one of the project's counts (`_of_project`), then the user's, and the first of the system's.
    Files that have no settings, or cannot be read, are among them.
    """
    chosen = user_dirs.environ.get(CONFIG_FILE)
    if chosen:
        yield UvSettings(toml_file(Path(chosen)))
        return
    if reads_no_settings(user_dirs.environ):
        return
    yield from _of_project(directory, user_dirs)
    yield UvSettings(toml_file(user_dirs.uv_settings))
    system = (toml_file(folder / "uv" / OWN) for folder in (*user_dirs.site_settings, Path("/etc")))
    yield from (UvSettings(file) for file in islice((file for file in system if file.is_there), 1))


def reads_no_settings(environ: Mapping[str, str]) -> bool:
    """True where uv is told to read no file for its settings."""
    return not environ.get(CONFIG_FILE) and environ.get(NO_CONFIG, "").lower() in YES


def files_of_sources(directory: Path, user_dirs: UserDirs) -> Iterator[UvSettings]:
    """The files whose named indexes `[tool.uv.sources]` may mean, whether their other settings are in force
    or not: the project's and its workspace root's (0.13.9, run).
    """
    owners = owners_of_project(directory)
    project = project_of(directory, user_dirs)
    for folder in dict.fromkeys((_nearest_project(project, owners), _root_of(project, owners))):
        yield UvSettings(toml_file(folder / PYPROJECT, owners), IN_PYPROJECT)


def project_of(directory: Path, user_dirs: UserDirs) -> Path:
    """Where uv looks for a project: its variables stand for --directory and --project ("Environment")."""
    chosen = (user_dirs.environ.get(name, "") for name in FOLDERS)
    return directory.joinpath(*chosen)


def _of_project(directory: Path, user_dirs: UserDirs) -> Iterator[UvSettings]:
    """The files from the workspace's root upwards to the first that has settings: only that one is in force,
    and a uv.toml hides the pyproject.toml beside it.

    Those of another user have none (`owners_of_project`).
    """
    owners = owners_of_project(directory)
    root = _root_of(project_of(directory, user_dirs), owners)
    for folder in (root, *root.parents):
        own = toml_file(folder / OWN, owners)
        yield UvSettings(own)
        if own.is_there and own.failure is None:
            return
        project = toml_file(folder / PYPROJECT, owners)
        yield UvSettings(project, IN_PYPROJECT)
        if "uv" in project.table("tool"):
            return


def _root_of(directory: Path, owners: frozenset[int]) -> Path:
    """The root of the workspace that the project is in, or the project; without one the directory."""
    project = _nearest_project(directory, owners)
    mine = toml_file(project / PYPROJECT, owners)
    if _workspace(mine):
        return project
    if not mine.table("project"):
        return directory
    root = _nearest_project(project.parent, owners)
    workspace = _workspace(toml_file(root / PYPROJECT, owners))
    is_member = _matches(project, root, workspace.get("members"))
    return root if is_member and not _matches(project, root, workspace.get("exclude")) else project


def _nearest_project(directory: Path, owners: frozenset[int]) -> Path:
    """The folder of the nearest pyproject.toml; the directory itself where there is none."""
    folders = (directory, *directory.parents)
    found = (
        each
        for each in folders
        if (file := toml_file(each / PYPROJECT, owners)).is_there and not file.is_of_another_user
    )
    return next(found, directory)


def _workspace(file: ForeignFile) -> dict[str, object]:
    return inner(file.table(*IN_PYPROJECT), "workspace")


def _matches(project: Path, root: Path, patterns: object) -> bool:
    """Whether one of a workspace's patterns means the project."""
    within = Path(escape(str(root)))
    listed = first_of(patterns if isinstance(patterns, list) else ())
    texts = (each for each in listed if isinstance(each, str))
    return any(project.match(str(within / os.path.normpath(each))) for each in texts)
