"""What a provider is: its frozen settings, the parts of a slot's key it decides, and one `obtain`.

To add one: a file with a class that satisfies Provider, one line in `daemon/built_in_providers.py`, and one
test class that inherits the provider contract. A provider keeps no state between calls: the keeper holds what
is held.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from broker.core.credential import Credential
from broker.core.feeds import READ, Feed, Recognise
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.urls import Url
from broker.host.http import Http


class Settings(BaseModel):
    """A provider's own keys of a [[feed]] table: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @property
    def default_scope(self) -> str:
        """What the feed's credential may do unless the address asked for says otherwise."""
        return READ


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider is made with: HTTP client, environment (with `[env]` of the configuration) and clock.

    `memory` is kept over reloads until the daemon ends. Sign-ins are in it, no tokens, each under a key that
    begins with the provider's name.
    """

    http: Http
    environ: Mapping[str, str]
    now: Callable[[], datetime]
    memory: MutableMapping[str, object] = field(default_factory=dict, repr=False)


Tools = ProviderContext
"""The former name, for plug-ins of other distributions that still import it."""


class Provider(Protocol):
    """One way of obtaining credentials.

    `identity`, `kind` and `username` complete a feed at load: who signs in (two feeds of a realm share a
    credential exactly when this is equal), the kind of token, and the only username the feed answers (None:
    the server ignores it). `identity` must be `feeds.DEFAULT_IDENTITY` for settings that name no account.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Settings]]

    def identity(self, settings: Settings) -> str:
        """Who signs in, in a spelling that is equal exactly when the credential is the same."""
        ...

    def kind(self, settings: Settings) -> str:
        """The kind of token, such as `session` or `entra`."""
        ...

    def username(self, settings: Settings) -> str | None:
        """The one username the feed answers, or None where the server ignores it."""
        ...

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        """Fetch a credential now, without a prompt and within a limit of its own; raises NotObtained.

        One attempt: retrying is the keeper's. Safe to cancel: no process or connection is left behind.
        """
        ...

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """A value that changes when a person has signed in or out, or a secret was replaced.

        None where that cannot be seen, as in a keyring: then a look-up tries again every half minute.
        Cheap and without network: the keeper compares it every half minute, and on a look-up that only a new
        sign-in could answer. Called in a thread beside the loop: it may look at files, and touches nothing of
        asyncio's. `daemon/plugins.py` also accepts it under its former name `sign_in_marks`.
        """
        ...


@runtime_checkable
class Recognising(Protocol):
    """A provider that can tell more addresses than `recognise.py`: by its environment, or by its own feeds.

    It is asked at every look-up and before that table, so it is as quick: without I/O, and no slower for
    many feeds.
    """

    def recogniser(self, feeds: Sequence[Feed]) -> Recognise:
        """What tells a service's own words on a machine with these configured feeds of the provider's."""
        ...


@dataclass(frozen=True, slots=True)
class Unworkable:
    """Why a feed can have no credential: one sentence, and the keys of its table that are missing."""

    detail: str
    keys: tuple[str, ...] = ()


@runtime_checkable
class JudgesAddresses(Protocol):
    """A provider whose settings do not go with every address: `obtain` refuses a feed for the same reason."""

    def unworkable(self, feed: Feed) -> Unworkable | None:
        """Why no sign-in could ever help this feed; None where one could. Without I/O."""
        ...


@runtime_checkable
class NeedsSecret(Protocol):
    """A provider that has a credential without configuration in some surroundings only, such as a CI job."""

    def brings_secret(self, url: Url) -> bool:
        """True where a feed at this address needs no configuration here; elsewhere none is learned."""
        ...


@runtime_checkable
class AnswersClaims(Protocol):
    """A provider that can hand a feed's claims challenge on to whoever issues its tokens."""

    async def obtain_with(self, feed: Feed, scope: str, claims: str) -> Credential:
        """As `obtain`, after the feed turned the last credential down and wanted these claims, in JSON.

        A way that cannot hand them on obtains as usual, and gives the credential the line that can, as
        `replacing`: the feed may take what is new, and names the line if it does not.
        """
        ...


@runtime_checkable
class Interactive(Protocol):
    """A provider that a person can sign in to through us, with `brokerctl login` and never in a look-up."""

    def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        """Sign a person in by the first of the `ways` that the feed allows: the page to open, the outcome.

        `in_file`: without a secret store keep it in a file, not in memory. Raises NotObtained; a feed that
        allows none of the ways is Refused with the command that signs in there. Closing it gives up.
        """
        ...

    async def sign_out(self, feed: Feed) -> SignedOut:
        """Drop the sign-in that the feed uses; raises Unavailable when it cannot be removed."""
        ...


@runtime_checkable
class SignsInElsewhere(Protocol):
    """A provider whose sign-in is another program's."""

    def sign_in_line(self, feed: Feed) -> str:
        """The command that signs a person in there."""
        ...


class ProviderClass(Protocol):
    """A provider as the daemon's table lists it: name and settings are known before one is made."""

    @property
    def name(self) -> str: ...  # noqa: D102 - Provider says it

    @property
    def settings(self) -> type[Settings]: ...  # noqa: D102 - Provider says it

    def __call__(self, context: ProviderContext, /) -> Provider:
        """The provider, made anew for each configuration."""
        ...
