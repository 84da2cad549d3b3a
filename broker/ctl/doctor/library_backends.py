"""Clients that ask a keyring of their own environment: whether that one leads to the broker."""

from collections.abc import Iterator

from broker.ctl.clients.library_clients import library_clients
from broker.ctl.clients.project_keyring import project_keyring
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning


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
    found = project_keyring(context.directory, context.directory, context.user_dirs)
    if context.feeds and found is not None:
        yield warning("project-keyring", found.said, found.repair)
