"""Sources of poetry and PDM: of the project's pyproject.toml, and of each one's settings in the home."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import UV, Index, Obstacle, Place
from broker.ctl.clients.foreign_files import (
    ForeignFile,
    inner,
    nearest_toml,
    owners_of_project,
    tables,
    toml_file,
)
from broker.ctl.clients.settings_text import first_of
from broker.ctl.clients.uv import uv_keyring_provider, uv_obstacles
from broker.ctl.setup.user_dirs import MAC_SETTINGS, UserDirs

POETRY = "poetry"
PDM = "pdm"
PYPROJECT = "pyproject.toml"
SETTINGS = {POETRY: "pypoetry", PDM: "pdm"}
"""Their folders below the user's settings (poetry's and PDM's "Configuration" pages)."""

AUTH_FILE, SETTINGS_FILE = "auth.toml", "config.toml"
"""What `poetry config http-basic.NAME` writes where no keyring is; what poetry and PDM are told besides."""

PDM_FILE = "pdm.toml"
"""A project's own settings (PDM's page "Configuration", `pdm config --local`)."""

POETRY_FILE = "poetry.toml"
"""A project's own settings, beside its pyproject.toml (poetry's page "Configuration", "Local")."""

CHOSEN = {POETRY: "POETRY_CONFIG_DIR", PDM: "PDM_CONFIG_FILE"}
"""The folder, or the file, in place of the user's settings."""

POETRY_KEYRING = "POETRY_KEYRING_ENABLED"
POETRY_OFF = "poetry asks no keyring: its setting keyring.enabled is false"
YES = ("true", "1")
"""What poetry takes for yes in a variable (2.5.1, `boolean_normalizer`)."""

PDM_URL, PDM_PASSWORD = "PDM_PYPI_URL", "PDM_PYPI_PASSWORD"
USE_UV = "PDM_USE_UV"
NO = ("", "false", "no", "0")
"""What PDM takes for no (2.29.3, `ensure_boolean`)."""


def source_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every source of the nearest project, then every source and repository of the user's settings.

    A PDM that uses uv hands its sources on to uv, which is then their client.
    """
    asks = poetry_keyring_off(directory, user_dirs) is None
    is_by_uv = pdm_uses_uv(directory, user_dirs)
    provider = uv_keyring_provider(directory, user_dirs)
    uv_is_on = provider is not None and provider.is_on
    for index in _named(directory, user_dirs):
        if index.client == POETRY:
            known = _with_poetrys_login(index, user_dirs)
            yield replace(known, obstacles=poetry_obstacles(known, is_on=asks))
        elif is_by_uv and not index.publishes:
            yield replace(index, client=UV, obstacles=uv_obstacles(index, is_on=uv_is_on))
        else:
            yield replace(index, obstacles=pdm_obstacles(index))


def pdm_uses_uv(directory: Path, user_dirs: UserDirs) -> bool:
    """Whether PDM runs uv in `directory`: by its variable, its project's settings, its user's ("use_uv")."""
    told: object = user_dirs.environ.get(USE_UV)
    if told is None:
        files = (nearest_toml(directory, PDM_FILE), toml_file(settings_file(user_dirs, PDM)))
        told = next((each.content["use_uv"] for each in files if "use_uv" in each.content), False)
    return told.lower() not in NO if isinstance(told, str) else bool(told)


def poetry_keyring_off(directory: Path, user_dirs: UserDirs) -> Place | None:
    """Where poetry's setting `keyring.enabled` is false; None where it asks the keyring.

    The variable goes before the project's file, and that before the user's (poetry 2.5.1, run).
    """
    told = user_dirs.environ.get(POETRY_KEYRING)
    if told is not None:
        return None if told.lower() in YES else Place(POETRY_KEYRING)
    for file in (poetry_file(directory), toml_file(settings_file(user_dirs, POETRY))):
        asks = file.table("keyring").get("enabled")
        if asks is not None:
            return None if asks else file.place("enabled", "false", "keyring")
    return None


def poetry_file(directory: Path) -> ForeignFile:
    """The settings of the nearest project alone."""
    project = nearest_toml(directory, PYPROJECT).path
    return toml_file(project.with_name(POETRY_FILE), owners_of_project(directory))


def poetry_obstacles(index: Index, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why poetry does not ask the keyring for a source; `is_on`: its setting `keyring.enabled` is not false.

    poetry (2.5) sends an empty password beside a user name in the URL; without one it takes the keyring's.
    """
    off = () if is_on else (Obstacle.PROVIDER_OFF,)
    if index.has_password:
        return (Obstacle.PASSWORD, *off)
    return off if index.username is None else (Obstacle.USERNAME, *off)


def pdm_obstacles(index: Index) -> tuple[Obstacle, ...]:
    """Why PDM does not ask the keyring for a source: it needs no setting, and no user name."""
    return (Obstacle.PASSWORD,) if index.has_password else ()


def settings_file(user_dirs: UserDirs, client: str) -> Path:
    """Where poetry or PDM has the user's settings."""
    chosen = user_dirs.environ.get(CHOSEN[client])
    if chosen:
        return Path(chosen, SETTINGS_FILE) if client == POETRY else Path(chosen)
    folder = user_dirs.home / MAC_SETTINGS if sys.platform == "darwin" else user_dirs.settings
    return folder / SETTINGS[client] / SETTINGS_FILE


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    file = nearest_toml(directory, PYPROJECT)
    for client in (POETRY, PDM):
        for number, source in tables(file.table("tool", client), "source"):
            yield from _index(client, file, f"tool.{client}.source", source, number=number)
    for file in (poetry_file(directory), toml_file(settings_file(user_dirs, POETRY))):
        for name, repository in first_of(file.table("repositories").items()):
            more = inner(repository)
            yield from _index(POETRY, file, f"repositories.{name}", more, name=name, publishes=True)
    url = user_dirs.environ.get(PDM_URL)
    if url:
        held = Place(PDM_PASSWORD) if user_dirs.environ.get(PDM_PASSWORD) else None
        username = user_dirs.environ.get("PDM_PYPI_USERNAME")
        yield Index.at(PDM, Place(PDM_URL), url, username=username, password_at=held)
    for file in (nearest_toml(directory, PDM_FILE), toml_file(settings_file(user_dirs, PDM))):
        yield from _index(PDM, file, "pypi", file.table("pypi"))
        for key, publishes in (("pypi", False), ("repository", True)):
            for name, repository in first_of(file.table(key).items()):
                more = inner(repository)
                yield from _index(PDM, file, f"{key}.{name}", more, name=name, publishes=publishes)


def _with_poetrys_login(index: Index, user_dirs: UserDirs) -> Index:
    """With the login that poetry keeps for the name of a source: in variables, else in its own file.

    poetry's page "Repositories": POETRY_HTTP_BASIC_<NAME>_PASSWORD and auth.toml's `[http-basic.<name>]`.
    """
    variable = f"POETRY_HTTP_BASIC_{re.sub('[-.]', '_', index.name.upper())}_PASSWORD"
    if user_dirs.environ.get(variable):
        return replace(index, password_at=Place(variable))
    file = toml_file(settings_file(user_dirs, POETRY).with_name(AUTH_FILE))
    password = file.table("http-basic", index.name).get("password")
    if not isinstance(password, str) or not password:
        return index
    return replace(index, password_at=file.place("password", password, f"http-basic.{index.name}"))


def _index(
    client: str,
    file: ForeignFile,
    head: str,
    settings: Mapping[str, object],
    *,
    number: int = 0,
    name: object = "",
    publishes: bool = False,
) -> Iterator[Index]:
    url = settings.get("url")
    if isinstance(url, str):
        name, username = name or settings.get("name"), settings.get("username")
        place, password = file.place("url", url, head, number), settings.get("password")
        held = None
        if client == PDM and isinstance(password, str) and password and not password.startswith("${"):
            held = file.place("password", password, head, number)
        yield Index.at(
            client, place, url, name=name, username=username, password_at=held, publishes=publishes
        )
