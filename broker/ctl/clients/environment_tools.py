"""Indexes that tools set for uv and pip in environments of their own: tox, hatch; and those of pixi.

tox and hatch hand variables on to uv or pip, so that the client of such an index is uv or pip. pixi installs
with uv's own code and reads uv's settings nowhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients import keyring_provider
from broker.ctl.clients.client_index import PIP, UV, Index
from broker.ctl.clients.command_line import obstacles_of
from broker.ctl.clients.foreign_files import ForeignFile, inner, nearest_toml, toml_file
from broker.ctl.clients.pip import pip_keyring_provider
from broker.ctl.clients.settings_text import first_of
from broker.ctl.clients.tox_files import in_variables, tox_files, tox_indexes
from broker.ctl.clients.uv import uv_keyring_provider, uv_obstacles
from broker.ctl.setup.user_dirs import UserDirs

PIXI = "pixi"
PIXI_FILES = (("pixi.toml", ()), ("pyproject.toml", ("tool", "pixi")))
PIXI_PACKAGES, PIXI_INDEX = "pypi-dependencies", "index"
HATCH_FILES = (("hatch.toml", ("envs",)), ("pyproject.toml", ("tool", "hatch", "envs")))


def environment_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Those of tox's files, of hatch's environments and of pixi, in this order."""
    is_on = {
        UV: _is_on(uv_keyring_provider(directory, user_dirs)),
        PIP: _is_on(pip_keyring_provider(user_dirs)),
    }
    for index, variables in (*tox_indexes(directory, user_dirs), *_of_hatch(directory)):
        own = keyring_provider.in_variable(index.client, variables)
        yield replace(index, obstacles=obstacles_of(index, is_on=is_on[index.client] or _is_on(own)))
    pixi_is_on = any(_pixi_is_on(path) for path in _pixi_settings(directory, user_dirs))
    for index in _of_pixi(directory):
        yield replace(index, obstacles=uv_obstacles(index, is_on=pixi_is_on))


def environment_files(directory: Path) -> Iterator[ForeignFile]:
    """The files that are read here for them."""
    yield from tox_files(directory)
    for name in dict.fromkeys(name for name, _ in (*HATCH_FILES, *PIXI_FILES)):
        yield nearest_toml(directory, name)


def _is_on(provider: keyring_provider.KeyringProvider | None) -> bool:
    return provider is not None and provider.is_on


def _of_hatch(directory: Path) -> Iterator[tuple[Index, Mapping[str, str]]]:
    """The variables of each environment (hatch's page "Environment configuration", `env-vars`)."""
    for name, keys in HATCH_FILES:
        file = nearest_toml(directory, name)
        for environment, settings in first_of(file.table(*keys).items()):
            told = inner(settings, "env-vars")
            variables = {key: value for key, value in told.items() if isinstance(value, str)}
            head = ".".join((*keys, environment, "env-vars"))
            for client, key, url in in_variables(variables):
                place = file.place(key, url, head)
                yield Index.at(client, place, url, option=key, written=file.text(place)), variables


def _of_pixi(directory: Path) -> Iterator[Index]:
    """The indexes of PyPI packages: for all, of each feature, and of single packages.

    pixi's page "Manifest": `pypi-options`, `feature.NAME.pypi-options`, `index` of `pypi-dependencies`.
    """
    for name, keys in PIXI_FILES:
        file = nearest_toml(directory, name)
        features = first_of(inner(file.content, *keys, "feature"))
        for head in (keys, *((*keys, "feature", feature) for feature in features)):
            for table, key, url in _pixi_urls(file, head):
                place = file.place(key, url, ".".join(table))
                written = "" if key == PIXI_INDEX else file.text(place)  # its line says more
                yield Index.at(PIXI, place, url, option=key, written=written)


def _pixi_urls(file: ForeignFile, head: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The table, the key and the URL of each index below these keys."""
    options = file.table(*head, "pypi-options")
    more = options.get("extra-index-urls")
    listed = [("index-url", options.get("index-url"))]
    listed += [("extra-index-urls", each) for each in first_of(more if isinstance(more, list) else ())]
    yield from (((*head, "pypi-options"), key, url) for key, url in listed if isinstance(url, str))
    for package in first_of(file.table(*head, PIXI_PACKAGES)):
        url = file.table(*head, PIXI_PACKAGES, package).get(PIXI_INDEX)
        if isinstance(url, str):
            yield (*head, PIXI_PACKAGES), PIXI_INDEX, url


def _pixi_settings(directory: Path, user_dirs: UserDirs) -> tuple[Path, ...]:
    """Of the project and of the user (pixi's page "Configuration")."""
    home = Path(user_dirs.environ.get("PIXI_HOME") or user_dirs.home / ".pixi")
    return (directory / ".pixi/config.toml", home / "config.toml", user_dirs.settings / "pixi/config.toml")


def _pixi_is_on(path: Path) -> bool:
    return toml_file(path).table("pypi-config").get("keyring-provider") == keyring_provider.SUBPROCESS
