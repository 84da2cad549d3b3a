"""Sources of the project here that poetry would not ask a keyring about, though they are feeds of ours."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.doctor.room import Room


def poetry_sources_have_no_username(room: Room) -> Iterator[Finding]:
    """No source has a user name in its URL: poetry (2.5) then sends an empty password and asks nobody.

    It takes the user name that the keyring brings; a source with a password of its own is left alone.
    """
    for folder in (room.directory, *room.directory.parents):
        file = folder / "pyproject.toml"
        for name, url in _sources(file):
            if _is_named(url) and room.feed_of(url) is not None:
                source = f'{room.places.shown(file)}: poetry source "{name}"'
                said = f"{source} has a user name: poetry will never ask"
                yield problem("poetry-username", said, f'url = "{_without_username(url)}"')


def _sources(file: Path) -> Iterator[tuple[str, str]]:
    """Name and URL of each source in a project's file."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return
    match found:
        case {"tool": {"poetry": {"source": [*listed]}}}:
            for source in listed:
                match source:
                    case {"name": str(name), "url": str(url)}:
                        yield name, url


def _is_named(url: str) -> bool:
    try:
        split = urlsplit(url)
    except ValueError:
        return False
    return bool(split.username) and split.password is None


def _without_username(url: str) -> str:
    split = urlsplit(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
