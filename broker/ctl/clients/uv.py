"""uv's indexes: of its variables, of the project's files, of the user's and the system's uv.toml.

uv asks no keyring about files outside an index's root unless it knows a user name for the index
(uv 0.13.8, `uv sync --frozen`); `UV_INDEX_<NAME>_USERNAME` gives it one without touching the project.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients import keyring_provider
from broker.ctl.clients.client_index import ALWAYS, NEVER, UV, Index, Obstacle, Place
from broker.ctl.clients.foreign_files import ForeignFile, inner, tables
from broker.ctl.clients.keyring_provider import KeyringProvider
from broker.ctl.clients.settings_text import first_of
from broker.ctl.clients.uv_files import UvSettings, files_of_sources, uv_settings
from broker.ctl.setup.user_dirs import UserDirs

LISTS = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL")
"""Indexes separated by blanks, of the first two as NAME=URL or as URL (uv's reference, "Environment")."""

PUBLISH = "UV_PUBLISH_URL"
PUBLISH_KEY = "publish-url"
PUBLISH_PASSWORDS = ("UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD")

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def uv_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every index that uv may use in `directory`, the strongest first."""
    settings = list(uv_settings(directory, user_dirs))
    provider = _keyring_provider(settings, user_dirs)
    is_on = provider is not None and provider.is_on
    for index in _named(settings, files_of_sources(directory, user_dirs), user_dirs):
        yield replace(index, obstacles=uv_obstacles(index, is_on=is_on))


def uv_obstacles(index: Index, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why uv does not ask the keyring for an index; `is_on`: its keyring provider is `subprocess`.

    Measured with uv 0.13.8: without a user name uv asks only where `authenticate = "always"`, and then for
    the pages alone; a password in a variable without a user name is not sent and keeps uv from asking.
    """
    off = () if is_on else (Obstacle.PROVIDER_OFF,)
    if index.authenticate == NEVER:
        return (Obstacle.NEVER, *off)
    if index.has_password:
        is_sent = index.username is not None or index.password_in_url or index.publishes
        return (Obstacle.PASSWORD if is_sent else Obstacle.LONE_PASSWORD, *off)
    if index.username is not None:
        return off
    return (Obstacle.PAGES_ONLY if index.authenticate == ALWAYS else Obstacle.NO_USERNAME, *off)


def uv_keyring_provider(directory: Path, user_dirs: UserDirs) -> KeyringProvider | None:
    """The keyring provider that uv uses in `directory`; None where none is named, and uv's is `disabled`."""
    return _keyring_provider(uv_settings(directory, user_dirs), user_dirs)


def indexes_to_name_a_user_for(indexes: Iterable[Index], environ: Mapping[str, str]) -> Iterator[Index]:
    """Each named index that a user name would let uv ask the keyring for, the strongest of each name.

    Left out: indexes on no network, and those whose variables are set, even to nothing.
    """
    seen: set[str] = set()
    for index in indexes:
        if not _NAME.fullmatch(index.name) or Obstacle.NEVER in index.obstacles or index.variable in seen:
            continue
        seen.add(index.variable)
        helps = not {Obstacle.NO_USERNAME, Obstacle.PAGES_ONLY}.isdisjoint(index.obstacles)
        if helps and index.is_remote and not _is_set(index, environ):
            yield index


def _keyring_provider(settings: Iterable[UvSettings], user_dirs: UserDirs) -> KeyringProvider | None:
    variable = keyring_provider.in_variable(UV, user_dirs.environ)
    if variable is not None:
        return variable
    for each in settings:
        named = keyring_provider.in_uv_settings(each.file.table(*each.keys))
        if named is not None:
            return KeyringProvider(named, each.file.place(keyring_provider.KEY, named, ".".join(each.keys)))
    return None


def _named(
    settings: Iterable[UvSettings], of_sources: Iterable[UvSettings], user_dirs: UserDirs
) -> Iterator[Index]:
    environ = user_dirs.environ
    for variable in LISTS:
        for entry in environ.get(variable, "").split():
            name, equals, url = entry.partition("=")
            named = equals and _NAME.fullmatch(name) and variable in LISTS[:2]
            place = Place(variable)
            yield _index(place, url if named else entry, environ, name=name if named else "")
    if environ.get(PUBLISH):
        yield publish_index(Place(PUBLISH), environ[PUBLISH], environ)
    read = set()
    for each in settings:
        read.add(each.file.path)
        yield from indexes_of_file(each.file, each.keys, environ)
    for each in of_sources:
        if each.file.path not in read:
            yield from (index for index in indexes_of_file(each.file, each.keys, environ) if index.name)


def indexes_of_file(file: ForeignFile, keys: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[Index]:
    """The indexes in the settings under these keys, without obstacles."""
    settings = file.table(*keys)
    head = ".".join((*keys, "index"))
    for number, entry in tables(settings, "index"):
        match entry:
            case {"url": str(url)}:
                name, publish = entry.get("name", ""), entry.get(PUBLISH_KEY)
                yield index_of_settings(file.place("url", url, head, number), url, environ, entry)
                if isinstance(publish, str):
                    place = file.place(PUBLISH_KEY, publish, head, number)
                    yield publish_index(place, publish, environ, name=name)
    for within in (keys, (*keys, "pip")):  # the older spellings
        flat = inner(file.content, *within)
        more = flat.get("extra-index-url")
        listed: list[tuple[str, object]] = [("index-url", flat.get("index-url"))]
        listed += [("extra-index-url", url) for url in first_of(more if isinstance(more, list) else ())]
        for key, each in listed:
            if isinstance(each, str):
                place = file.place(key, each, ".".join(within))
                yield Index.at(UV, place, each, option=key, written=file.text(place))
    upload = settings.get(PUBLISH_KEY)
    if isinstance(upload, str):
        place = file.place(PUBLISH_KEY, upload, ".".join(keys))
        yield publish_index(place, upload, environ)


def publish_index(place: Place, url: str, environ: Mapping[str, str], *, name: object = "") -> Index:
    """The address that `uv publish` uploads to, with what its variables say of it."""
    held = next((Place(variable) for variable in PUBLISH_PASSWORDS if environ.get(variable)), None)
    username = environ.get("UV_PUBLISH_USERNAME")
    index = Index.at(UV, place, url, name=name, username=username, password_at=held, publishes=True)
    return replace(index, option=PUBLISH_KEY)


def index_of_settings(
    place: Place, url: str, environ: Mapping[str, str], entry: Mapping[str, object]
) -> Index:
    """The index of one `[[index]]` table."""
    name = entry.get("name")
    authenticate = entry.get("authenticate")
    return _index(place, url, environ, name=name if isinstance(name, str) else "", authenticate=authenticate)


def _index(
    place: Place,
    url: str,
    environ: Mapping[str, str],
    *,
    name: str = "",
    authenticate: object = None,
) -> Index:
    """An index, with what the variables of its name say of it."""
    index = Index.at(UV, place, url, name=name, authenticate=authenticate)
    if not name:
        return index
    held = Place(index.password_variable) if environ.get(index.password_variable) else None
    username = environ.get(index.variable)
    return Index.at(UV, place, url, name=name, authenticate=authenticate, username=username, password_at=held)


def _is_set(index: Index, environ: Mapping[str, str]) -> bool:
    return index.variable in environ or index.password_variable in environ
