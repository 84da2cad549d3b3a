"""Repositories that are uploaded to: those of `.pypirc`, and the one of twine's variable."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import sections
from broker.ctl.setup.user_dirs import UserDirs

TWINE = "twine"
VARIABLE = "TWINE_REPOSITORY_URL"


def pypirc(user_dirs: UserDirs) -> Path:
    """Where twine has the user's repositories."""
    return user_dirs.home / ".pypirc"


def repository_indexes(user_dirs: UserDirs) -> Iterator[Index]:
    """Every repository with an address; one without is the public registry's by a name that twine knows."""
    environ = user_dirs.environ
    if environ.get(VARIABLE):
        username = environ.get("TWINE_USERNAME")
        yield Index.at(TWINE, VARIABLE, environ[VARIABLE], username=username, publishes=True)
    path = pypirc(user_dirs)
    for name, settings in sections(path).items():
        if "repository" in settings:
            yield Index.at(
                TWINE,
                path,
                settings["repository"].strip(),
                name=name,
                username=settings.get("username"),
                has_password=bool(settings.get("password")),
                publishes=True,
            )
