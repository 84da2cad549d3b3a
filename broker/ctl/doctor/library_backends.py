"""Clients that ask a keyring of their own environment: whether that one leads to the broker."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.clients.library_clients import PACKAGE, library_client, library_clients
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.setup.found_keyrings import is_ours

PROJECT_KEYRING = Path(".venv/bin/keyring")


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
    keyring = context.directory / PROJECT_KEYRING
    if not context.feeds or not keyring.is_file() or is_ours(keyring):
        return
    found = library_client("keyring", keyring)
    if found is not None and found.lacks is not None:
        said = f"{PROJECT_KEYRING} is first on PATH in uv run, and its environment lacks {found.lacks}"
        yield warning("project-keyring", said, f"uv pip install --python .venv {PACKAGE}")
