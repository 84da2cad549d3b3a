"""Indexes that tools set for uv and pip in environments of their own: tox, hatch; and those of pixi.

tox and hatch hand variables on to uv or pip, so that the client of such an index is uv or pip. pixi installs
with uv's own code and reads uv's settings nowhere.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients import keyring_provider
from broker.ctl.clients.client_index import PIP, UV, Index
from broker.ctl.clients.command_line import obstacles_of, options_of
from broker.ctl.clients.foreign_files import (
    ForeignFile,
    first_of,
    ini_file,
    inner,
    nearest_toml,
    owners_of_project,
    toml_file,
)
from broker.ctl.clients.pip import VARIABLES, pip_keyring_provider
from broker.ctl.clients.uv import LISTS, uv_keyring_provider, uv_obstacles
from broker.ctl.setup.user_dirs import UserDirs

PIXI = "pixi"
TOX_FILE = "tox.ini"
TOX_TOML_FILES = (("tox.toml", ()), ("pyproject.toml", ("tool", "tox")))
TOX_BASES = ("env_run_base", "env_pkg_base")
SET_ENV = ("set_env", "setenv")
INSTALL = "install_command"
PIXI_FILES = (("pixi.toml", ()), ("pyproject.toml", ("tool", "pixi")))
HATCH_FILES = (("hatch.toml", ("envs",)), ("pyproject.toml", ("tool", "hatch", "envs")))


def environment_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Those of tox's files, of hatch's environments and of pixi, in this order."""
    is_on = {
        UV: _is_on(uv_keyring_provider(directory, user_dirs)),
        PIP: _is_on(pip_keyring_provider(user_dirs)),
    }
    for index, variables in (*_of_tox(directory), *_of_tox_toml(directory), *_of_hatch(directory)):
        own = keyring_provider.in_variable(index.client, variables)
        yield replace(index, obstacles=obstacles_of(index, is_on=is_on[index.client] or _is_on(own)))
    pixi_is_on = any(_pixi_is_on(path) for path in _pixi_settings(directory, user_dirs))
    for index in _of_pixi(directory):
        yield replace(index, obstacles=uv_obstacles(index, is_on=pixi_is_on))


def environment_files(directory: Path) -> Iterator[ForeignFile]:
    """The files that are read here for them."""
    yield ini_file(directory / TOX_FILE)
    yield toml_file(directory / "tox.toml", owners_of_project(directory))
    for name in dict.fromkeys(name for name, _ in (*HATCH_FILES, *PIXI_FILES)):
        yield nearest_toml(directory, name)


def _is_on(provider: keyring_provider.KeyringProvider | None) -> bool:
    return provider is not None and provider.is_on


def _of_tox(directory: Path) -> Iterator[tuple[Index, Mapping[str, str]]]:
    """The variables of each environment, and the command that installs into it (tox's page "Configuration").

    What tox puts together itself, as `{env:NAME}`, is none.
    """
    file = ini_file(directory / TOX_FILE)
    for section, settings in first_of(file.content.items()):
        for key in SET_ENV:
            pairs = (line.partition("=") for line in settings.get(key, "").splitlines())
            variables = {name.strip(): value.strip() for name, _, value in pairs}
            for client, name, url in _in_variables(variables):
                yield Index.at(client, file.place(name, url, section), url, option=name), variables
        try:
            words = shlex.split(settings.get(INSTALL, ""))
        except ValueError:
            continue
        yield from ((each, {}) for each in _in_command(words, file, section, is_toml=False))


def _of_tox_toml(directory: Path) -> Iterator[tuple[Index, Mapping[str, str]]]:
    """The same of tox.toml and pyproject.toml (tox's page "Configuration"), without its references."""
    owners = owners_of_project(directory)
    for name, keys in TOX_TOML_FILES:
        file = toml_file(directory / name, owners)
        settings = file.table(*keys)
        tables = [((*keys, base), inner(settings, base)) for base in TOX_BASES]
        tables += [
            ((*keys, "env", env), inner(settings, "env", env)) for env in first_of(inner(settings, "env"))
        ]
        for path, told in tables:
            variables = {key: each for key, each in inner(told, "set_env").items() if isinstance(each, str)}
            head = ".".join(path)
            for client, key, url in _in_variables(variables):
                place = file.place(key, url, f"{head}.set_env")
                yield Index.at(client, place, url, option=key, written=file.text(place)), variables
            listed = told.get(INSTALL)
            words = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
            yield from ((each, {}) for each in _in_command(words, file, head, is_toml=True))


def _in_command(words: Sequence[str], file: ForeignFile, head: str, *, is_toml: bool) -> Iterator[Index]:
    """The indexes of a command that installs."""
    client = UV if UV in words[:1] else PIP
    for word in options_of(words).indexes:
        place = file.place(INSTALL, word.url, head)
        named = words[word.position].partition("=")[0]
        option = named if named.startswith("-") else words[word.position - 1]
        written = file.text(place) if is_toml else ""
        yield Index.at(client, place, word.url, name=word.name, option=option, written=written)


def _of_hatch(directory: Path) -> Iterator[tuple[Index, Mapping[str, str]]]:
    """The variables of each environment (hatch's page "Environment configuration", `env-vars`)."""
    for name, keys in HATCH_FILES:
        file = nearest_toml(directory, name)
        for environment, settings in first_of(file.table(*keys).items()):
            told = inner(settings, "env-vars")
            variables = {key: value for key, value in told.items() if isinstance(value, str)}
            head = ".".join((*keys, environment, "env-vars"))
            for client, key, url in _in_variables(variables):
                place = file.place(key, url, head)
                yield Index.at(client, place, url, option=key, written=file.text(place)), variables


def _in_variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The client, the variable and the URL of each index that these variables name."""
    for client, names in ((UV, LISTS), (PIP, VARIABLES)):
        for name in names:
            for entry in variables.get(name, "").split():
                label, equals, url = entry.partition("=")
                yield client, name, url if equals and "/" not in label else entry


def _of_pixi(directory: Path) -> Iterator[Index]:
    """The indexes of PyPI packages (pixi's page "Manifest", `pypi-options`)."""
    for name, keys in PIXI_FILES:
        file = nearest_toml(directory, name)
        options = file.table(*keys, "pypi-options")
        more = options.get("extra-index-urls")
        listed = [("index-url", options.get("index-url"))]
        listed += [("extra-index-urls", each) for each in first_of(more if isinstance(more, list) else ())]
        head = ".".join((*keys, "pypi-options"))
        for key, url in listed:
            if isinstance(url, str):
                place = file.place(key, url, head)
                yield Index.at(PIXI, place, url, option=key, written=file.text(place))


def _pixi_settings(directory: Path, user_dirs: UserDirs) -> tuple[Path, ...]:
    """Of the project and of the user (pixi's page "Configuration")."""
    home = Path(user_dirs.environ.get("PIXI_HOME") or user_dirs.home / ".pixi")
    return (directory / ".pixi/config.toml", home / "config.toml", user_dirs.settings / "pixi/config.toml")


def _pixi_is_on(path: Path) -> bool:
    return toml_file(path).table("pypi-config").get("keyring-provider") == keyring_provider.SUBPROCESS
