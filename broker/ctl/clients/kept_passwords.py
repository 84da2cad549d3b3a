"""Passwords that clients keep beside the address they are for: in variables, and in their own settings.

Those in URLs, netrc, uv's store and npm's files are found where these are read. The values are never kept.
"""

from collections.abc import Iterator
from shlex import quote
from typing import NamedTuple

from broker.ctl.clients.client_index import UV, Index, Place
from broker.ctl.clients.foreign_files import first_of, inner, toml_file
from broker.ctl.clients.source_projects import PDM, POETRY, settings_file
from broker.ctl.clients.stored_passwords import host_of
from broker.ctl.setup.user_dirs import UserDirs

UPLOADS = {
    "TWINE_PASSWORD": "TWINE_REPOSITORY_URL",
    "UV_PUBLISH_PASSWORD": "UV_PUBLISH_URL",
    "UV_PUBLISH_TOKEN": "UV_PUBLISH_URL",
    "HATCH_INDEX_AUTH": "HATCH_INDEX_REPO",
    "PDM_PUBLISH_PASSWORD": "PDM_PUBLISH_REPO",
    "FLIT_PASSWORD": "FLIT_INDEX_URL",
}
"""Variables with a password for uploads, and the one that says where to (each client's own documentation)."""

AUTH = "auth.toml"
"""Beside poetry's config.toml: what `poetry config http-basic.NAME` wrote where no keyring was."""


class KeptPassword(NamedTuple):
    """A place with a password, the host that it is for, and what to type so that it is there no more."""

    place: Place
    host: str | None
    removal: str


def kept_passwords(indexes: list[Index], user_dirs: UserDirs) -> Iterator[KeptPassword]:
    """Each password that belongs to an index or an upload address by its name; `indexes`: all there are."""
    yield from _of_uploads(indexes, user_dirs)
    yield from _of_poetry(indexes, user_dirs)
    file = toml_file(settings_file(user_dirs, PDM))
    for key in ("pypi", "repository"):
        tables = {key: file.table(key)} | {
            f"{key}.{name}": inner(each) for name, each in first_of(file.table(key).items())
        }
        for head, table in tables.items():
            url, password = table.get("url"), table.get("password")
            if isinstance(url, str) and isinstance(password, str) and password:
                place = file.place("password", password, head)
                yield KeptPassword(place, host_of(url), f"pdm config --delete {quote(head)}.password")


def _of_uploads(indexes: list[Index], user_dirs: UserDirs) -> Iterator[KeptPassword]:
    environ = user_dirs.environ
    named = [index.url for index in indexes if index.client == UV and index.publishes]
    for name, address in UPLOADS.items():
        if not environ.get(name):
            continue
        urls = [environ[address]] if environ.get(address) else named if name.startswith("UV_") else []
        for host in dict.fromkeys(map(host_of, urls)):
            yield KeptPassword(Place(name), host, f"unset {name}")


def _of_poetry(indexes: list[Index], user_dirs: UserDirs) -> Iterator[KeptPassword]:
    file = toml_file(settings_file(user_dirs, POETRY).with_name(AUTH))
    for index in indexes:
        if index.client != POETRY or not index.name:
            continue
        variable = f"POETRY_HTTP_BASIC_{index.name.upper().replace('-', '_')}_PASSWORD"
        if user_dirs.environ.get(variable):
            yield KeptPassword(Place(variable), host_of(index.url), f"unset {variable}")
        head = f"http-basic.{index.name}"
        password = file.table("http-basic", index.name).get("password")
        if isinstance(password, str) and password:
            place = file.place("password", password, head)
            yield KeptPassword(place, host_of(index.url), f"poetry config --unset {quote(head)}")
