"""Clients that ask a keyring of their own environment: whether that one leads to the broker."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from broker.ctl.clients.foreign_files import owners_of_project
from broker.ctl.clients.library_clients import PACKAGE, library_client, library_clients
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.setup.found_keyrings import is_ours

ENVIRONMENT = "UV_PROJECT_ENVIRONMENT"
"""Where uv keeps the project's environment instead of in `.venv`, from the project's folder."""

KEYRING = Path("bin/keyring")


def library_clients_have_the_backend(context: DoctorContext) -> Iterator[Finding]:
    """poetry, twine and hatch have our backend in their environment, where there are feeds."""
    if not context.feeds:
        return
    for found in library_clients(context.user_dirs):
        if found.lacks is not None:
            environment = context.user_dirs.shown(found.environment)
            said = f"{found.name} asks no broker: {environment} lacks {found.lacks}"
            yield warning("backend", said, found.repair)


def keyring_of_the_project_leads_here(context: DoctorContext) -> Iterator[Finding]:
    """A `keyring` in the project's environment, which `uv run` puts first on PATH, has our backend."""
    environment = _environment(context)
    keyring = None if environment is None else context.directory / environment / KEYRING
    if not context.feeds or environment is None or keyring is None:
        return
    if not keyring.is_file() or is_ours(keyring):
        return
    found = library_client("keyring", keyring)
    if found is not None and found.lacks is not None:
        shown = environment / KEYRING
        said = f"{shown} is first on PATH in uv run, and its environment lacks {found.lacks}"
        line = f"uv pip install --python {quote(str(environment))} {PACKAGE}"
        yield warning("project-keyring", said, line)


def _environment(context: DoctorContext) -> Path | None:
    """The nearest environment of a project, as a path from here: a workspace has one, at its root."""
    named = context.user_dirs.environ.get(ENVIRONMENT) or ".venv"
    owners = owners_of_project(context.directory)
    for folder in (context.directory, *context.directory.parents):
        with contextlib.suppress(OSError):
            if (folder / named).is_dir() and (folder / named).stat().st_uid in owners:
                is_here = folder == context.directory
                return Path(named) if is_here or Path(named).is_absolute() else folder / named
    return None
