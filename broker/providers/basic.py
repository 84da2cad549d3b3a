"""`basic`: a username and a secret that somebody else keeps, for Artifactory, Nexus, devpi and their like."""

from collections.abc import Hashable
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.providers import protocol, secrets
from broker.providers.program import ANY_USERNAME, checked_username


class BasicSettings(protocol.Settings):
    """`secret` says where the secret is; `username` may be left to netrc, the keyring or the command."""

    username: Annotated[str, BeforeValidator(checked_username)] | None = None
    secret: Annotated[secrets.SecretSource, BeforeValidator(secrets.parse)]


class BasicProvider:
    """Reads the configured secret at each renewal."""

    name: ClassVar[str] = "basic"
    settings: ClassVar[type[protocol.Settings]] = BasicSettings

    def __init__(self, tools: protocol.Tools) -> None:
        self._environ = tools.environ

    def identity(self, settings: protocol.Settings) -> str:
        """The username and where the secret is: two feeds of one origin may differ in either."""
        own = _own(settings)
        return f"{own.username or ''} {secrets.spell(own.secret)}".strip()

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `password`."""
        return "password"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None where the secret's place may bring its own."""
        return _own(settings).username

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a password knows no scope
        """Read the secret. Raises what `secrets.read` raises."""
        own = _own(feed.settings)
        found = await secrets.read(
            own.secret, host=feed.url.origin.host, username=own.username, environ=self._environ
        )
        return Credential(
            username=own.username or found.username or ANY_USERNAME,
            secret=found.secret,
            expires_at=found.expires_at,
            source=secrets.shown(own.secret),
            account=own.username or found.username,
            is_personal=found.username is not None,
        )

    def sign_in_marks(self, feed: Feed) -> Hashable:
        """What changes when the secret was replaced."""
        return secrets.marks(_own(feed.settings).secret, self._environ)


def _own(settings: object) -> BasicSettings:
    if not isinstance(settings, BasicSettings):
        raise TypeError("these settings belong to another provider")
    return settings
