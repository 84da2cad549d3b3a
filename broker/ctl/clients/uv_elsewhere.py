"""uv's indexes outside of the files of the working directory: workspace members, scripts, installed tools."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import ForeignFile, toml_file
from broker.ctl.clients.inline_script import script_indexes, scripts_in
from broker.ctl.clients.uv import indexes_of_file, uv_keyring_provider, uv_obstacles
from broker.ctl.setup.user_dirs import UserDirs

RECEIPT = "uv-receipt.toml"
PYPROJECT = "pyproject.toml"
MEMBERS_MAX = 200


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


def receipts(user_dirs: UserDirs) -> list[ForeignFile]:
    """What uv remembers of each installed tool; an upgrade installs by it."""
    return [toml_file(path) for path in sorted(tools_folder(user_dirs).glob(f"*/{RECEIPT}"))]


def members(directory: Path) -> list[Path]:
    """The folders of the workspace whose root the directory is, without it."""
    workspace = toml_file(directory / PYPROJECT).table("tool", "uv", "workspace")
    patterns = workspace.get("members")
    found: dict[Path, None] = {}
    for pattern in patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str) and pattern and not os.path.isabs(pattern):  # noqa: PTH117 - a string
            for path in sorted(directory.glob(pattern))[:MEMBERS_MAX]:
                if (path / PYPROJECT).is_file() and path != directory:
                    found[path] = None
    return list(found)


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    for member in members(directory):
        yield from indexes_of_file(toml_file(member / PYPROJECT), ("tool", "uv"), user_dirs.environ)
    for script in scripts_in(directory):
        yield from script_indexes(script, user_dirs.environ)
    for receipt in receipts(user_dirs):
        yield from indexes_of_file(receipt, ("tool", "options"), user_dirs.environ)
