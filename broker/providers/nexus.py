"""`nexus`: Sonatype Nexus repositories, with a user token: a pair of codes, both of them secret.

Nexus has no service that renews them. Where they are is where netrc, the keyring or a program keeps both; a
username of one's own with a password does as well.
"""

from collections.abc import Hashable
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.feeds import Feed
from broker.providers import protocol, secrets
from broker.providers.program import checked_username


class NexusSettings(protocol.Settings):
    """`secret` is where the pass code or password is; `username` may be left to it, for the name code."""

    username: Annotated[str, BeforeValidator(checked_username)] | None = None
    secret: Annotated[secrets.SecretSource, BeforeValidator(secrets.parse)]


class NexusProvider:
    """Reads the configured pair at each renewal."""

    name: ClassVar[str] = "nexus"
    settings: ClassVar[type[protocol.Settings]] = NexusSettings

    def __init__(self, tools: protocol.Tools) -> None:
        self._environ = tools.environ

    def identity(self, settings: protocol.Settings) -> str:
        """The username and where the secret is."""
        own = _own(settings)
        return f"{own.username or ''} {secrets.spell(own.secret)}".strip()

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `password`."""
        return "password"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None where the secret's place brings it."""
        return _own(settings).username

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a password knows no scope
        """Read the pair. Raises what `secrets.read` raises, and Refused for half of one."""
        own = _own(feed.settings)
        found = await secrets.read(
            own.secret, host=feed.url.origin.host, username=own.username, environ=self._environ
        )
        username = own.username or found.username
        if username is None:
            raise Refused(f"{secrets.shown(own.secret)} has no username, and Nexus takes none but its own")
        return Credential(
            username,
            found.secret,
            found.expires_at,
            secrets.shown(own.secret),
            account=own.username,
            is_personal=found.username is not None,
        )

    def sign_in_marks(self, feed: Feed) -> Hashable:
        """What changes when the secret was replaced."""
        return secrets.marks(_own(feed.settings).secret, self._environ)


def _own(settings: object) -> NexusSettings:
    if not isinstance(settings, NexusSettings):
        raise TypeError("these settings belong to another provider")
    return settings
