"""uv's indexes outside of the files of the working directory: workspace members, scripts, installed tools."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import ForeignFile, matching, owners_of_project, toml_file
from broker.ctl.clients.inline_script import script_indexes, scripts_in
from broker.ctl.clients.settings_text import first_of
from broker.ctl.clients.uv import indexes_of_file, uv_keyring_provider, uv_obstacles
from broker.ctl.clients.uv_files import IN_PYPROJECT, PYPROJECT, UvSettings
from broker.ctl.setup.user_dirs import UserDirs

RECEIPT = "uv-receipt.toml"


def uv_indexes_elsewhere(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Those of the members of a workspace with this root, of scripts here, and of installed tools."""
    provider = uv_keyring_provider(directory, user_dirs)
    is_on = provider is not None and provider.is_on
    for index in _named(directory, user_dirs):
        yield replace(index, obstacles=uv_obstacles(index, is_on=is_on))


def tools_folder(user_dirs: UserDirs) -> Path:
    """Where uv installs tools ($UV_TOOL_DIR, "Storage")."""
    chosen = user_dirs.environ.get("UV_TOOL_DIR")
    return Path(chosen) if chosen else user_dirs.belongings / "uv" / "tools"


def uv_settings_elsewhere(directory: Path, user_dirs: UserDirs) -> Iterator[UvSettings]:
    """The members of the workspace whose root the directory is, and what uv remembers of each installed tool:
    an upgrade installs by it.
    """
    owners = owners_of_project(directory)
    for member in _members(directory, owners):
        yield UvSettings(member, IN_PYPROJECT)
    receipts = (toml_file(tool / RECEIPT) for tool in matching(tools_folder(user_dirs), "*"))
    yield from (UvSettings(file, ("tool", "options")) for file in receipts if file.is_there)


def _members(directory: Path, owners: Collection[int]) -> Iterator[ForeignFile]:
    workspace = toml_file(directory / PYPROJECT, owners).table("tool", "uv", "workspace")
    patterns = workspace.get("members")
    found: dict[Path, None] = {}
    for pattern in first_of(patterns if isinstance(patterns, list) else ()):
        if isinstance(pattern, str) and pattern:
            found |= dict.fromkeys(path / PYPROJECT for path in matching(directory, pattern))
    found.pop(directory / PYPROJECT, None)
    files = (toml_file(path, owners) for path in first_of(found))
    yield from (file for file in files if file.is_there)


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    owners = owners_of_project(directory)
    for each in uv_settings_elsewhere(directory, user_dirs):
        yield from indexes_of_file(each.file, each.keys, user_dirs.environ)
    for script in scripts_in(directory):
        yield from script_indexes(script, user_dirs.environ, owners)
