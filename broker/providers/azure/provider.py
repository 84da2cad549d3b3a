"""`azure`: Azure Artifacts feeds. One look-up walks from the challenge over a sign-in to a session token.

Nothing is kept between look-ups. Read `AzureProvider.obtain`, then `challenge.py`: a bearer goes only where
that has allowed it to.
"""

import logging
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator

from broker.core.credential import Credential
from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import DEFAULT_IDENTITY, Feed
from broker.core.narration import tell
from broker.core.status import rfc3339
from broker.host.http import Request, Response
from broker.host.unreachable import Unreachable
from broker.providers import protocol
from broker.providers.azure.azure_cli import AzureCli
from broker.providers.azure.challenge import (
    ORGANISATIONS,
    Challenge,
    PublicFeed,
    challenge_request,
    is_guid,
    read_challenge,
)
from broker.providers.azure.env_tokens import EnvTokens
from broker.providers.azure.identities import Bearer, Identity, Skipped, login_line
from broker.providers.azure.organisation import Organisation, organisation_of
from broker.providers.azure.session_token import (
    LIFE,
    SCOPES,
    BearerRefused,
    LifeRefused,
    SessionToken,
    exchange_request,
    read_exchange,
)
from broker.providers.program import checked_username

IDENTITIES: Mapping[str, Callable[[protocol.Tools], Identity]] = {
    EnvTokens.name: lambda tools: EnvTokens(tools.environ, tools.now),
    AzureCli.name: lambda tools: AzureCli(tools.environ),
}
"""Every way to sign in, in the order that is tried where `auth` says nothing: what was left for us on
purpose comes before what happens to be there.
"""

DEFAULT_AUTH = tuple(IDENTITIES)

SESSION_USERNAME = "VssSessionToken"
BEARER_USERNAME = "bearer"
"""The server ignores the username; these are what its own tools answer with each kind of token."""

log = logging.getLogger("broker.providers.azure")

_TENANT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _names(auth: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in auth if name not in IDENTITIES]
    if unknown or not auth:
        asked = f"there is no sign-in {unknown[0]!r}" if unknown else "auth is empty"
        raise ValueError(f"{asked}: write some of {', '.join(IDENTITIES)}")
    return tuple(dict.fromkeys(auth))


def _tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant.lower()):
        raise ValueError("a tenant is written as its id or one of its domains")
    return tenant.lower()


class AzureSettings(protocol.Settings):
    """`tenant` and `account` say who signs in, where several could; `auth` how, in this order.

    `token` None gives users a session token and apps their Entra token; `session` and `entra` force one.
    """

    auth: Annotated[tuple[str, ...], AfterValidator(_names)] = DEFAULT_AUTH
    tenant: Annotated[str, AfterValidator(_tenant)] | None = None
    account: Annotated[str, BeforeValidator(checked_username)] | None = None
    token: Literal["session", "entra"] | None = None
    scope: Literal["read", "publish"] = "read"

    @property
    def default_scope(self) -> str:
        """The configured one."""
        return self.scope


class _Walk(NamedTuple):
    """One look-up under way: for whom, by which rules, and where the challenge has led it."""

    organisation: Organisation
    settings: AzureSettings
    scope: str
    challenge: Challenge
    tenant: str


class AzureProvider:
    """Signs in as the settings say, and gives a token that is good for one organisation's feeds."""

    name: ClassVar[str] = "azure"
    settings: ClassVar[type[protocol.Settings]] = AzureSettings

    def __init__(self, tools: protocol.Tools) -> None:
        self._http = tools.http
        self._now = tools.now
        self._identities = {name: make(tools) for name, make in IDENTITIES.items()}

    def identity(self, settings: protocol.Settings) -> str:
        """What the settings say of who signs in; the default where they say nothing."""
        own = _own(settings)
        parts = [f"tenant={own.tenant}"] if own.tenant else []
        parts += [f"account={own.account.lower()}"] if own.account else []
        parts += [f"auth={','.join(own.auth)}"] if own.auth != DEFAULT_AUTH else []
        return " ".join(parts) or DEFAULT_IDENTITY

    def kind(self, settings: protocol.Settings) -> str:
        """`session` or `entra`, as configured; `session` stands for the choice by who signs in."""
        return _own(settings).token or "session"

    def username(self, settings: protocol.Settings) -> str | None:  # noqa: ARG002 - the same for all
        """Always None: the server ignores it."""
        return None

    def sign_in_marks(self, feed: Feed) -> Hashable:
        """What changes with the Azure CLI's account list, the token variables and their files."""
        return tuple(identity.marks() for identity in self._chain(_own(feed.settings)))

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        """Walk from the challenge to a token.

        Raises NoSource when no way to sign in is open on this machine, before the network is asked anything;
        what the challenge came to; or the failure of a sign-in, of several the one most likely to pass.
        """
        settings, organisation = _own(feed.settings), organisation_of(feed.realm)
        if organisation is None:
            raise Refused(
                f'{feed.url.origin} is not Azure DevOps Services: provider = "basic" takes its tokens'
            )
        closed = [Skipped(one.name, why) for one in self._chain(settings) if (why := one.missing())]
        if len(closed) == len(settings.auth):
            raise _no_source(organisation, settings.tenant or ORGANISATIONS, closed)
        response = await self._send(challenge_request(feed.url), head_only=True)
        challenge = read_challenge(response, organisation)
        if isinstance(challenge, PublicFeed):
            raise Refused(f"feed {feed.name} is public: it wants no credential")
        tenant = _chosen_tenant(settings, challenge, organisation)
        tell(
            "challenge",
            f"tenant {tenant} · tokens issued by {challenge.authority}, as it should be",
            good=True,
        )
        return await self._signed_in(_Walk(organisation, settings, scope, challenge, tenant))

    async def _signed_in(self, walk: _Walk) -> Credential:
        """The credential by the first sign-in that works."""
        skipped: list[Skipped] = []
        failures: list[NotObtained] = []
        is_sure = True  # that nothing but the failures below could have given the held token
        for identity in self._chain(walk.settings):
            why = identity.missing()
            try:
                bearer = Skipped(identity.name, why) if why else await identity.bearer(walk.tenant)
                if not isinstance(bearer, Skipped):
                    _check_account(bearer, walk)
                    return await self._credential(bearer, walk)
            except NotObtained as failure:
                tell("signed in", f"{identity.name}: {failure}", good=False)
                log.debug("sign_in_failed realm=%s source=%s: %s", walk.organisation, identity.name, failure)
                failures.append(failure)
                continue
            tell("signed in", f"{identity.name}: {bearer.why}")
            log.debug("sign_in_skipped realm=%s source=%s: %s", walk.organisation, identity.name, bearer.why)
            skipped.append(bearer)
            is_sure = is_sure and why is not None
        raise _worst(failures, is_sure) if failures else _no_source(walk.organisation, walk.tenant, skipped)

    async def _credential(self, bearer: Bearer, walk: _Walk) -> Credential:
        tell("signed in", f"{bearer.source}: {bearer.account or 'its token names nobody'}", good=True)
        wanted = walk.settings.token or ("session" if bearer.kind == "user" else "entra")
        if bearer.kind == "ready" or wanted == "entra":
            username = SESSION_USERNAME if bearer.kind == "ready" else BEARER_USERNAME
            secret, ends = bearer.token, bearer.expires_at
        else:
            issued = await self._exchanged(bearer, walk)
            username, secret, ends = SESSION_USERNAME, issued.secret, issued.expires_at
        tenant = bearer.tenant or (walk.tenant if bearer.kind != "ready" else None)
        return Credential(username, secret, ends, bearer.source, bearer.account, tenant)

    async def _exchanged(self, bearer: Bearer, walk: _Walk) -> SessionToken:
        for valid_to in (self._now() + LIFE, None):
            request = exchange_request(walk.challenge, bearer.token, walk.scope, valid_to)
            outcome = read_exchange(
                await self._send(request), walk.organisation, asked_life=valid_to is not None
            )
            match outcome:
                case SessionToken(_, ends):
                    until = "does not say when it ends" if ends is None else f"ends {rfc3339(ends)}"
                    tell("exchange", f"session token, scope {SCOPES[walk.scope]}, {until}", good=True)
                    return outcome
                case BearerRefused(why):
                    who = bearer.account or bearer.source
                    raise Refused(
                        f"{walk.organisation} does not take the sign-in of {who} ({why})",
                        hint=login_line(walk.tenant),
                    )
                case LifeRefused():
                    continue
        raise AssertionError("a request without a life cannot have it refused")

    async def _send(self, request: Request, *, head_only: bool = False) -> Response:
        try:
            return await self._http.send(request, head_only=head_only)
        except Unreachable as error:
            raise Unavailable(error.reason) from None

    def _chain(self, settings: AzureSettings) -> list[Identity]:
        return [self._identities[name] for name in settings.auth]


def _own(settings: object) -> AzureSettings:
    if not isinstance(settings, AzureSettings):
        raise TypeError("these settings belong to another provider")
    return settings


def _chosen_tenant(settings: AzureSettings, challenge: Challenge, organisation: Organisation) -> str:
    """The tenant to sign in to. The configured one must be the organisation's own, where that has one."""
    if settings.tenant is None or challenge.tenant == settings.tenant:
        return challenge.tenant
    if challenge.tenant == ORGANISATIONS:
        return settings.tenant
    if is_guid(settings.tenant):
        raise Refused(
            f"{organisation} is of tenant {challenge.tenant}, the configuration says {settings.tenant}"
        )
    return challenge.tenant


def _check_account(bearer: Bearer, walk: _Walk) -> None:
    """Raise SignInNeeded when somebody else than the configured account has signed in."""
    wanted = walk.settings.account
    if wanted is None or (bearer.account or "").lower() == wanted.lower():
        return
    found = f"gives a token of {bearer.account}" if bearer.account else "does not say whose its token is"
    raise SignInNeeded(
        f"{bearer.source} {found}, {walk.organisation} is configured for {wanted}",
        hint=login_line(walk.tenant),
        drops_token=bearer.account is not None,
    )


def _worst(failures: list[NotObtained], is_sure: bool) -> NotObtained:
    """The failure to report: one that may pass by itself hides no other way's recovery, so it comes first.

    A held token is dropped only when every way that could have given it says that its account is gone.
    """
    failure = min(failures, key=lambda one: (not isinstance(one, Unavailable), not isinstance(one, Refused)))
    if isinstance(failure, SignInNeeded):
        failure.drops_token = is_sure and all(getattr(one, "drops_token", False) for one in failures)
    return failure


def _no_source(organisation: Organisation, tenant: str, skipped: list[Skipped]) -> NoSource:
    why = "; ".join(f"{one.name}: {one.why}" for one in skipped)
    return NoSource(f"nothing here can sign in to {organisation} ({why})", hint=login_line(tenant))
