"""A login kept outside the broker: a username, and where its secret is, which is read at each renewal.

`basic` and `nexus` are this and little more; `artifactory` and `gitlab` begin with it. Next:
`secret_reader.py`.
"""

import shlex
from collections.abc import Hashable
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator

from broker.core import secret_source
from broker.core.credential import Credential
from broker.core.failures import ADD_TO, NoSource
from broker.core.feeds import Feed
from broker.providers import protocol, secret_reader
from broker.providers.helper_program import ANY_USERNAME, SecretFound, checked_username, one_line

Username = Annotated[str, BeforeValidator(checked_username)]
Line = Annotated[str, AfterValidator(one_line)]
Place = Annotated[secret_source.SecretSource, BeforeValidator(secret_source.parse)]


class LoginSettings(protocol.Settings):
    """`secret` says where the secret is; `username` may be left to netrc, the keyring or the command."""

    username: Username | None = None
    secret: Place


class LoginProvider:
    """Reads the configured secret at each renewal."""

    name: ClassVar[str]
    settings: ClassVar[type[protocol.Settings]] = LoginSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._environ = tools.environ

    def identity(self, settings: protocol.Settings) -> str:
        """The username and where the secret is: two feeds of one origin may differ in either."""
        own = _own(settings)
        return f"{own.username or ''} {secret_source.spell(own.secret)}".strip()

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `password`."""
        return "password"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None where the secret's place may bring its own."""
        return _own(settings).username

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a password knows no scope
        """Read the secret. Raises what `secret_reader.read` raises."""
        own = _own(feed.settings)
        found = await secret_reader.read(
            own.secret, host=feed.url.origin.host, username=own.username, environ=self._environ
        )
        return login(found, own.secret, own.username)

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes when the secret was replaced."""
        return secret_reader.fingerprint(_own(feed.settings).secret, self._environ)


def login(
    found: SecretFound,
    source: secret_source.SecretSource,
    username: str | None,
    otherwise: str = ANY_USERNAME,
) -> Credential:
    """The credential: the configured username comes first, then the secret's own, then `otherwise`."""
    return Credential(
        username=username or found.username or otherwise,
        secret=found.secret,
        expires_at=found.expires_at,
        source=secret_source.shown(source),
        account=username or found.username,
        is_personal=found.username is not None,
        manual_renewal=secret_source.manual_renewal(source),
        replacing=secret_reader.replacing(source),
    )


def _own(settings: object) -> LoginSettings:
    if not isinstance(settings, LoginSettings):
        raise TypeError("these settings belong to another provider")
    return settings


def no_secret(what: str, feed: Feed) -> NoSource:
    """Why a feed that is known by its address cannot be read, and the line that says where its secret is.

    The line needs no keychain: many machines have none.
    """
    place = f"file:~/.config/token-broker/secrets/{feed.name}"
    hint = (
        f'{ADD_TO}its [[feed]] ({feed.place or feed.name}): secret = "{place}"'
        if feed.configured
        else shlex.join(("brokerctl", "add", str(feed.url)))
    )
    return NoSource(f"no {what} is configured for {feed.url.origin}", hint=hint)
