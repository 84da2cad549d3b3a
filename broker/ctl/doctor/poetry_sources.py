"""What keeps poetry from asking a keyring about the sources of the project here that are feeds of ours."""

from collections.abc import Iterator

from broker.core.urls import printable
from broker.ctl.clients.client_index import Obstacle
from broker.ctl.clients.source_projects import POETRY, POETRY_KEYRING, POETRY_OFF, poetry_keyring_off
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, problem


def poetry_sources_have_no_username(context: DoctorContext) -> Iterator[Finding]:
    """No source has a user name in its URL: poetry (2.5) then sends an empty password and asks no keyring.

    It takes the user name that the keyring brings; a source with a password of its own is left alone.
    """
    for index in context.indexes:
        if index.client == POETRY and Obstacle.USERNAME in index.obstacles and context.feed_of(index.url):
            source = f'{index.place.shown(context.user_dirs.shown)}: poetry source "{index.name}"'
            said = f"{source} has a user name: poetry will never ask"
            yield problem("poetry-username", said, f'url = "{printable(index.url) or index.address}"')


def poetry_asks_the_keyring(context: DoctorContext) -> Iterator[Finding]:
    """The setting `keyring.enabled` of poetry is not false where a source is a feed of ours."""
    off = poetry_keyring_off(context.directory, context.user_dirs)
    if off is not None and any(
        each.client == POETRY and context.feed_of(each.url) for each in context.addresses
    ):
        said = f"{off.shown(context.user_dirs.shown)}: {POETRY_OFF}"
        yield problem("poetry-keyring", said, f"export {POETRY_KEYRING}=true")
