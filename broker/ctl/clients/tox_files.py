"""Indexes that tox sets for uv and pip: by variables, by its command that installs, by its `deps`.

Of tox.ini, setup.cfg, `legacy_tox_ini` in pyproject.toml, tox.toml and `[tool.tox]` (tox 4, "Configuration").
`deps` are lines of a requirements file, so that -r and -c lead to further files; tox 4.67 runs pip in its
root. Of what tox puts together itself, as `{env:NAME}` and by its references, only that root is known here.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import PIP, UV, Index
from broker.ctl.clients.command_line import options_of
from broker.ctl.clients.foreign_files import (
    ForeignFile,
    ini_file,
    ini_within,
    inner,
    owners_of_project,
    toml_file,
)
from broker.ctl.clients.pip import VARIABLES, requirement_indexes, requirements_in
from broker.ctl.clients.requirements_file import files_of_line, options_of_line
from broker.ctl.clients.settings_text import first_of
from broker.ctl.clients.uv import LISTS
from broker.ctl.setup.user_dirs import UserDirs

TOX_INI, SETUP_CFG, TOX_TOML, PYPROJECT = "tox.ini", "setup.cfg", "tox.toml", "pyproject.toml"
CORE_OF_SETUP_CFG = "tox:tox"
"""tox reads a setup.cfg with this section only."""

LEGACY = "legacy_tox_ini"
BASES = ("env_run_base", "env_pkg_base")
SET_ENV = ("set_env", "setenv")
INSTALL, DEPS = "install_command", "deps"
BY_UV = "tox-uv"
"""The plug-in by which tox installs with uv."""

SLASH = "{/}"
_ROOT = re.compile(r"\{(?:tox_root|toxinidir)\}")
"""How tox writes the folder of its file, and what stands between folders (tox 4, "Substitutions")."""

Found = tuple[Index, Mapping[str, str]]
"""An index, and the variables that are set beside it."""


def tox_files(directory: Path) -> Iterator[ForeignFile]:
    """The files that tox may read here."""
    owners = owners_of_project(directory)
    yield from (ini_file(directory / name) for name in (TOX_INI, SETUP_CFG))
    yield from (toml_file(directory / name, owners) for name in (TOX_TOML, PYPROJECT))


def tox_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Found]:
    """The indexes of each environment."""
    ini, setup, own, project = tox_files(directory)
    yield from _of_ini(ini, user_dirs)
    if CORE_OF_SETUP_CFG in setup.content:
        yield from _of_ini(setup, user_dirs)
    yield from _of_ini(ini_within(project, project.table("tool", "tox").get(LEGACY)), user_dirs)
    yield from _of_toml(own, (), user_dirs)
    yield from _of_toml(project, ("tool", "tox"), user_dirs)


def in_variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The client, the variable and the URL of each index that these variables name."""
    for client, names in ((UV, LISTS), (PIP, VARIABLES)):
        for name in names:
            for entry in variables.get(name, "").split():
                label, equals, url = entry.partition("=")
                yield client, name, url if equals and "/" not in label else entry


def _of_ini(file: ForeignFile, user_dirs: UserDirs) -> Iterator[Found]:
    is_toml = file.path.suffix == ".toml"
    installer = UV if BY_UV in str(file.table("tox").get("requires", "")) else PIP
    for section, settings in first_of(file.content.items()):
        for key in SET_ENV:
            pairs = (line.partition("=") for line in settings.get(key, "").splitlines())
            variables = {name.strip(): value.strip() for name, _, value in pairs}
            for client, name, url in in_variables(variables):
                place = file.place(name, url, section)
                written = file.text(place) if is_toml else ""
                yield Index.at(client, place, url, option=name, written=written), variables
        lines = settings.get(DEPS, "").splitlines()
        yield from ((each, {}) for each in _in_deps(lines, file, section, installer))
        yield from ((each, {}) for each in _in_files_of(lines, file, installer, user_dirs))
        try:
            words = shlex.split(settings.get(INSTALL, ""))
        except ValueError:
            continue
        yield from ((each, {}) for each in _in_command(words, file, section))


def _of_toml(file: ForeignFile, keys: tuple[str, ...], user_dirs: UserDirs) -> Iterator[Found]:
    settings = file.table(*keys)
    installer = UV if BY_UV in str(settings.get("requires", "")) else PIP
    tables = [((*keys, base), inner(settings, base)) for base in BASES]
    tables += [((*keys, "env", env), inner(settings, "env", env)) for env in first_of(inner(settings, "env"))]
    for path, told in tables:
        variables = {key: each for key, each in inner(told, "set_env").items() if isinstance(each, str)}
        head = ".".join(path)
        for client, key, url in in_variables(variables):
            place = file.place(key, url, f"{head}.set_env")
            yield Index.at(client, place, url, option=key, written=file.text(place)), variables
        lines = _texts(told.get(DEPS))
        yield from ((each, {}) for each in _in_deps(lines, file, head, installer))
        yield from ((each, {}) for each in _in_files_of(lines, file, installer, user_dirs))
        yield from ((each, {}) for each in _in_command(_texts(told.get(INSTALL)), file, head))


def _in_deps(lines: Sequence[str], file: ForeignFile, head: str, client: str) -> Iterator[Index]:
    """The indexes of `deps`, which are lines of a requirements file."""
    for line in first_of(lines):
        for option, url in options_of_line(line.strip(), {}):
            place = file.place(DEPS, url, head)
            written = file.text(place) if file.path.suffix == ".toml" else ""
            yield Index.at(client, place, url, option=option, written=written)


def _in_files_of(
    lines: Sequence[str], file: ForeignFile, client: str, user_dirs: UserDirs
) -> Iterator[Index]:
    """The indexes of the requirements files that `deps` lead to, but for those that pip's own rules find."""
    root = file.path.parent
    known, owners = requirements_in(root), owners_of_project(root)
    for line in first_of(lines):
        for name in files_of_line(line.strip(), {}):
            path = Path(os.path.normpath(root / _ROOT.sub(lambda _: str(root), name).replace(SLASH, "/")))
            if path not in known:
                for index in requirement_indexes(path, user_dirs, owners):
                    yield replace(index, client=client)


def _in_command(words: Sequence[str], file: ForeignFile, head: str) -> Iterator[Index]:
    """The indexes of a command that installs."""
    client = UV if UV in words[:1] else PIP
    for word in options_of(words).indexes:
        place = file.place(INSTALL, word.url, head)
        named = words[word.position].partition("=")[0]
        option = named if named.startswith("-") else words[word.position - 1]
        written = file.text(place) if file.path.suffix == ".toml" else ""
        yield Index.at(client, place, word.url, name=word.name, option=option, written=written)


def _texts(found: object) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
