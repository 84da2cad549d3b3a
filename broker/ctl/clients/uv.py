"""uv's indexes: of its variables, of the project's files, of the user's and the system's uv.toml.

uv asks no keyring about files outside an index's root unless it knows a user name for the index
(uv 0.13.8, `uv sync --frozen`); `UV_INDEX_<NAME>_USERNAME` gives it one without touching the project.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from broker.ctl.clients.client_index import NEVER, UV, Index, login_in
from broker.ctl.clients.foreign_files import inner, table, tables
from broker.ctl.setup.user_dirs import UserDirs

LISTS = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL")
"""Indexes separated by blanks, of the first two as NAME=URL or as URL (uv's reference, "Environment")."""

PUBLISH = "UV_PUBLISH_URL"

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def uv_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every index that uv may use in `directory`, the strongest first."""
    environ = user_dirs.environ
    for variable in LISTS:
        for entry in environ.get(variable, "").split():
            name, equals, url = entry.partition("=")
            named = equals and _NAME.fullmatch(name) and variable in LISTS[:2]
            yield _index(variable, url if named else entry, environ, name=name if named else "")
    if environ.get(PUBLISH):
        username = environ.get("UV_PUBLISH_USERNAME")
        yield Index.at(UV, PUBLISH, environ[PUBLISH], username=username, publishes=True)
    for path, keys in uv_files(directory, user_dirs):
        yield from _of_settings(path, table(path, *keys), environ)


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


def indexes_without_username(indexes: Iterable[Index], environ: Mapping[str, str]) -> Iterator[Index]:
    """Each named index that a user name would help, the strongest of each name.

    Left out: indexes that have one or a password, that are on no network or that say `authenticate =
    "never"`, and those whose variables are set.
    """
    seen: set[str] = set()
    for index in indexes:
        if not _NAME.fullmatch(index.name) or index.authenticate == NEVER or index.variable in seen:
            continue
        seen.add(index.variable)
        if index.is_remote and not _is_set(index, environ) and login_in(index.url) == (None, False):
            yield index


def _of_settings(path: Path, settings: dict[str, Any], environ: Mapping[str, str]) -> Iterator[Index]:
    for each in tables(settings, "index"):
        match each:
            case {"url": str(url)}:
                name, publish = str(each.get("name", "")), each.get("publish-url")
                yield _index(path, url, environ, name=name, authenticate=each.get("authenticate"))
                if isinstance(publish, str):
                    yield Index.at(UV, path, publish, name=name, publishes=True)
    for flat in (settings, inner(settings, "pip")):  # the older spellings
        more = flat.get("extra-index-url")
        for url in (flat.get("index-url"), *(more if isinstance(more, list) else ())):
            if isinstance(url, str):
                yield _index(path, url, environ)
    if isinstance(settings.get("publish-url"), str):
        yield Index.at(UV, path, settings["publish-url"], publishes=True)


def _index(
    place: Path | str,
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
