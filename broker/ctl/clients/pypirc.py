"""Repositories that are uploaded to: those of `.pypirc`, and the one of twine's variable."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index, Obstacle, Place
from broker.ctl.clients.foreign_files import ini_file
from broker.ctl.setup.user_dirs import UserDirs

TWINE = "twine"
VARIABLE = "TWINE_REPOSITORY_URL"
PASSWORD = "TWINE_PASSWORD"  # noqa: S105 - a variable's name


def pypirc(user_dirs: UserDirs) -> Path:
    """Where twine has the user's repositories."""
    return user_dirs.home / ".pypirc"


def repository_indexes(user_dirs: UserDirs) -> Iterator[Index]:
    """Every repository with an address; one without is the public registry's by a name that twine knows."""
    for index in _named(user_dirs):
        yield replace(index, obstacles=twine_obstacles(index))


def twine_obstacles(index: Index) -> tuple[Obstacle, ...]:
    """Why twine does not ask the keyring for a repository: it needs no setting, and no user name."""
    return (Obstacle.PASSWORD,) if index.has_password else ()


def _named(user_dirs: UserDirs) -> Iterator[Index]:
    environ = user_dirs.environ
    if environ.get(VARIABLE):
        username, held = environ.get("TWINE_USERNAME"), environ.get(PASSWORD)
        place, password_at = Place(VARIABLE), Place(PASSWORD) if held else None
        yield Index.at(
            TWINE, place, environ[VARIABLE], username=username, password_at=password_at, publishes=True
        )
    file = ini_file(pypirc(user_dirs))
    for name, settings in file.content.items():
        if "repository" in settings:
            url, password = settings["repository"].strip(), settings.get("password")
            yield Index.at(
                TWINE,
                file.place("repository", url, name),
                url,
                name=name,
                username=settings.get("username"),
                password_at=file.place("password", password, name) if password else None,
                publishes=True,
            )
