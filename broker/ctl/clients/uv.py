"""uv's indexes: of its variables, of the project's files, of the user's and the system's uv.toml.

uv asks no keyring about files outside an index's root unless it knows a user name for the index
(uv 0.13.8, `uv sync --frozen`); `UV_INDEX_<NAME>_USERNAME` gives it one without touching the project.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients import keyring_provider
from broker.ctl.clients.client_index import ALWAYS, NEVER, UV, Index, Obstacle, Place, login_in
from broker.ctl.clients.foreign_files import ForeignFile, inner, tables, toml_file
from broker.ctl.clients.keyring_provider import KeyringProvider
from broker.ctl.setup.user_dirs import UserDirs

LISTS = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL")
"""Indexes separated by blanks, of the first two as NAME=URL or as URL (uv's reference, "Environment")."""

PUBLISH = "UV_PUBLISH_URL"

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def uv_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every index that uv may use in `directory`, the strongest first."""
    provider = uv_keyring_provider(directory, user_dirs)
    is_on = provider is not None and provider.is_on
    for index in _named(directory, user_dirs):
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
        is_sent = index.username is not None or login_in(index.url)[1]
        return (Obstacle.PASSWORD if is_sent else Obstacle.LONE_PASSWORD, *off)
    if index.username is not None:
        return off
    return (Obstacle.PAGES_ONLY if index.authenticate == ALWAYS else Obstacle.NO_USERNAME, *off)


def uv_keyring_provider(directory: Path, user_dirs: UserDirs) -> KeyringProvider | None:
    """The keyring provider that uv uses in `directory`; None where none is named, and uv's is `disabled`."""
    variable = keyring_provider.in_variable(UV, user_dirs.environ)
    if variable is not None:
        return variable
    for path, keys in uv_files(directory, user_dirs):
        file = toml_file(path)
        named = keyring_provider.in_uv_settings(file.table(*keys))
        if named is not None:
            return KeyringProvider(named, file.place(keyring_provider.KEY, named, ".".join(keys)))
    return None


def uv_files(directory: Path, user_dirs: UserDirs) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The files that uv reads in `directory`, each with the keys that its settings are under.

    Those of the project and of all folders above, for a workspace's root is one of them; then the user's, and
    the first of the system's (uv's "Configuration files"). $UV_CONFIG_FILE stands in for the user's.
    """
    for folder in (directory, *directory.parents):
        yield folder / "uv.toml", ()
        yield folder / "pyproject.toml", ("tool", "uv")
    chosen = user_dirs.environ.get("UV_CONFIG_FILE")
    if chosen:
        yield Path(chosen), ()
        return
    yield user_dirs.uv_settings, ()
    system = [folder / "uv/uv.toml" for folder in (*user_dirs.site_settings, Path("/etc"))]
    yield from ((path, ()) for path in [path for path in system if path.is_file()][:1])


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


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    environ = user_dirs.environ
    for variable in LISTS:
        for entry in environ.get(variable, "").split():
            name, equals, url = entry.partition("=")
            named = equals and _NAME.fullmatch(name) and variable in LISTS[:2]
            place = Place(variable)
            yield _index(place, url if named else entry, environ, name=name if named else "")
    if environ.get(PUBLISH):
        username = environ.get("UV_PUBLISH_USERNAME")
        yield Index.at(UV, Place(PUBLISH), environ[PUBLISH], username=username, publishes=True)
    for path, keys in uv_files(directory, user_dirs):
        yield from indexes_of_file(toml_file(path), keys, environ)


def indexes_of_file(file: ForeignFile, keys: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[Index]:
    """The indexes in the settings under these keys, without obstacles."""
    settings = file.table(*keys)
    head = ".".join((*keys, "index"))
    for number, entry in tables(settings, "index"):
        match entry:
            case {"url": str(url)}:
                name, publish = str(entry.get("name", "")), entry.get("publish-url")
                place = file.place("url", url, head, number)
                yield _index(place, url, environ, name=name, authenticate=entry.get("authenticate"))
                if isinstance(publish, str):
                    place = file.place("publish-url", publish, head, number)
                    yield Index.at(UV, place, publish, name=name, publishes=True)
    for within in (keys, (*keys, "pip")):  # the older spellings
        flat = inner(file.content, *within)
        more = flat.get("extra-index-url")
        listed: list[tuple[str, object]] = [("index-url", flat.get("index-url"))]
        listed += [("extra-index-url", url) for url in (more if isinstance(more, list) else ())]
        for key, each in listed:
            if isinstance(each, str):
                yield _index(file.place(key, each, ".".join(within)), each, environ)
    upload = settings.get("publish-url")
    if isinstance(upload, str):
        place = file.place("publish-url", upload, ".".join(keys))
        yield Index.at(UV, place, upload, publishes=True)


def index_of_settings(
    place: Place, url: str, environ: Mapping[str, str], entry: Mapping[str, object]
) -> Index:
    """The index of one `[[index]]` table."""
    name = str(entry.get("name", ""))
    return _index(place, url, environ, name=name, authenticate=entry.get("authenticate"))


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
    username, held = environ.get(index.variable), bool(environ.get(index.password_variable))
    return Index.at(
        UV, place, url, name=name, authenticate=authenticate, username=username, has_password=held
    )


def _is_set(index: Index, environ: Mapping[str, str]) -> bool:
    return index.variable in environ or index.password_variable in environ
