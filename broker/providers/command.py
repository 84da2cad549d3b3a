"""`command`: any program that prints a token or a JSON object (`credential_formats.py` says which).

How long a token lives may stand there as `expires_at`, or as `expires_in`, in seconds (RFC 6749 section 5.1).
"""

from collections.abc import Hashable
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from broker.core import secret_source
from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.providers import helper_program, protocol
from broker.providers.static_login import Username


class CommandSettings(protocol.Settings):
    """`command` is the program and its arguments; `username` is what to answer when it prints none."""

    command: Annotated[tuple[str, ...], BeforeValidator(secret_source.parse_argv)]
    username: Username | None = None


class CommandProvider:
    """Runs the configured program at each renewal."""

    name: ClassVar[str] = "command"
    settings: ClassVar[type[protocol.Settings]] = CommandSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._environ = tools.environ
        self._now = tools.now

    def identity(self, settings: protocol.Settings) -> str:
        """The username and the command, whose words are shown as a digest: they may hold secrets."""
        own = _own(settings)
        return f"{own.username or ''} {secret_source.spell(secret_source.CommandSecret(own.command))}".strip()

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `token`."""
        return "token"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None where the program or the convention decides."""
        return _own(settings).username

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - the program knows no scope
        """Run the program. Raises what `helper_program.ask` raises."""
        own = _own(feed.settings)
        found = await helper_program.ask(own.command, self._environ, self._now)
        return Credential(
            username=found.username or own.username or helper_program.ANY_USERNAME,
            secret=found.secret,
            expires_at=found.expires_at,
            source=secret_source.shown(secret_source.CommandSecret(own.command)),
            account=found.username or own.username,
        )

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:  # noqa: ARG002 - the broker cannot see when a program would do better
        """Always None."""
        return None


def _own(settings: object) -> CommandSettings:
    if not isinstance(settings, CommandSettings):
        raise TypeError("these settings belong to another provider")
    return settings
