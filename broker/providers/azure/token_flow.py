"""One look-up from the challenge over a sign-in to a token: read `TokenFlow.credential` from top to bottom.

Nothing is kept between look-ups. A bearer goes only where `challenge.py` has allowed it to. Each step is told
as trace steps for `explain`, without a secret.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from broker.core.credential import Credential
from broker.core.failures import NoSource, NotNeeded, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import Feed
from broker.core.login_progress import LoginMethod
from broker.core.urls import Url
from broker.host.http import Request, Response
from broker.host.http_errors import Unreachable
from broker.host.lookup_trace import trace_step
from broker.providers.azure.azd import AzureDeveloperCli
from broker.providers.azure.azd import login_line as azd_login_line
from broker.providers.azure.azure_cli import AzureCli, account_login
from broker.providers.azure.challenge import (
    ORGANISATIONS,
    Challenge,
    PublicFeed,
    challenge_request,
    is_guid,
    read_challenge,
)
from broker.providers.azure.identities import Bearer, Identity, Owned, Skipped, login_line
from broker.providers.azure.login_store import brokerctl_login
from broker.providers.azure.organisation import Organisation
from broker.providers.azure.pipeline_hints import pipeline_lines
from broker.providers.azure.session_token import (
    LIFE,
    SCOPES,
    BearerRefused,
    LifeRefused,
    SessionToken,
    exchange_request,
    read_exchange,
)
from broker.providers.azure.settings import DEFAULT_AUTH, AzureSettings
from broker.providers.protocol import ProviderContext

SESSION_USERNAME = "VssSessionToken"
BEARER_USERNAME = "bearer"
"""The server ignores the username; these are what its own tools answer with each kind of token."""

TOOLS = frozenset({"azure-cli", "azd", "ado-auth-helper"})
"""Whose tokens end, whether the tool says when or not."""

EVERYWHERE = frozenset({"env", "azure-cli"})
"""Ways that a person may miss on any machine; that others of the default order are not here is no news."""

log = logging.getLogger("broker.providers.azure")


class _Goal(NamedTuple):
    """Where the challenge has led the look-up: the tenant to sign in to, and who exchanges its bearers."""

    tenant: str
    challenge: Challenge


class _ClaimsWanted(Refused):
    """The token authority turned a bearer down, and wants these claims of the next one."""

    def __init__(self, detail: str, hint: str, claims: str) -> None:
        super().__init__(detail, hint=hint)
        self.claims = claims


@dataclass(frozen=True, slots=True)
class TokenFlow:
    """One look-up: for which feed, in which scope, by which ways in order, and with which claims."""

    tools: ProviderContext
    feed: Feed
    settings: AzureSettings
    organisation: Organisation
    scope: str
    chain: Sequence[Identity]
    claims: str | None = None

    async def credential(self) -> Credential:
        """The token, or why there is none.

        Raises NoSource when no way to sign in is open on this machine, before the network is asked anything;
        NotNeeded for a public feed; what the challenge came to; or the failure of a sign-in, of several the
        one most likely to pass.
        """
        closed = [Skipped(one.name, why) for one in self.chain if (why := one.unavailable_reason())]
        if len(closed) == len(self.chain):
            for one in closed:
                trace_step("signed in", f"{one.name}: {one.why}")
            raise self._no_source(self.settings.tenant or ORGANISATIONS, closed)
        goal = await self._challenged()
        try:
            return await self._signed_in(goal)
        except SignInNeeded as failure:
            raise self._for_an_agent(failure, goal.tenant) from None

    async def tenant(self) -> str:
        """Where a person of the organisation signs in; raises what the challenge came to."""
        return (await self._challenged()).tenant

    async def _challenged(self) -> _Goal:
        """Where the feed's own challenge leads.

        A learned feed stands for a whole organisation: one that is public does not speak for the others, so
        the root is asked, too.
        """
        places = [self.feed.url] if self.feed.configured else [self.feed.url, self.feed.prefixes[-1]]
        for place in dict.fromkeys(places):
            begun = self.tools.now()
            challenge = await self._challenge(place)
            if isinstance(challenge, PublicFeed):
                trace_step("challenge", f"200 in {self._took(begun)} · this feed is public")
                continue
            tenant = self._chosen_tenant(challenge)
            authority = challenge.authority.removeprefix("https://")
            told = f"401 in {self._took(begun)} · tenant {tenant} · authority {authority} allowed"
            trace_step("challenge", told, good=True)
            return _Goal(tenant, challenge)
        raise NotNeeded(f"feed {self.feed.name} is public: it wants no credential")

    async def _challenge(self, place: Url) -> Challenge | PublicFeed:
        response = await self._send(challenge_request(place), head_only=True)
        return read_challenge(
            response,
            self.organisation,
            login_hosts=self.settings.login_hosts,
            authorities=self.settings.authorities,
        )

    def _chosen_tenant(self, challenge: Challenge) -> str:
        """The tenant to sign in to. The configured one must be the organisation's own, where that has one."""
        wanted = self.settings.tenant
        if wanted is None or challenge.tenant == wanted:
            return challenge.tenant
        if challenge.tenant == ORGANISATIONS:
            return wanted
        if is_guid(wanted):
            raise Refused(
                f"{self.organisation} is of tenant {challenge.tenant}, the configuration says {wanted}"
            )
        return challenge.tenant

    async def _signed_in(self, goal: _Goal) -> Credential:
        """The credential by the first sign-in that works."""
        skipped: list[Skipped] = []
        failures: list[NotObtained] = []
        owner: str | None = None  # of a sign-in that fails: only the same person's token may stand in for it
        is_sure = True  # that nothing but the failures below could have given the held token
        for identity in self.chain:
            why, begun = identity.unavailable_reason(), self.tools.now()
            try:
                bearer = (
                    Skipped(identity.name, why) if why else await identity.bearer(goal.tenant, self.claims)
                )
                if not isinstance(bearer, Skipped) and not _is_of(owner, bearer):
                    trace_step("signed in", f"{identity.name}: {bearer.account or 'nobody'}, and not {owner}")
                    continue
                if not isinstance(bearer, Skipped):
                    who = bearer.account or "its token names nobody"
                    trace_step("signed in", f"{bearer.source}: {who} in {self._took(begun)}", good=True)
                    self._check_account(bearer, goal.tenant)
                    return await self._credential_by(identity, bearer, goal)
            except NotObtained as failure:
                trace_step("signed in", f"{identity.name}: {failure}, in {self._took(begun)}", good=False)
                log.debug("sign_in_failed realm=%s source=%s: %s", self.organisation, identity.name, failure)
                failures.append(failure)
                owner = owner or (identity.account if isinstance(identity, Owned) else None)
                continue
            if not self._is_elsewhere(identity.name, why):
                trace_step("signed in", f"{identity.name}: {bearer.why}")
            log.debug("sign_in_skipped realm=%s source=%s: %s", self.organisation, identity.name, bearer.why)
            skipped.append(bearer)
            is_sure = is_sure and why is not None
        for one in skipped:
            if self._is_elsewhere(one.name, one.why):
                trace_step("signed in", f"{one.name}: {one.why}")
        raise _worst(failures, is_sure) if failures else self._no_source(goal.tenant, skipped)

    def _check_account(self, bearer: Bearer, tenant: str) -> None:
        """Raise SignInNeeded when another account than the configured one has signed in."""
        wanted = self.settings.account
        if wanted is None or (bearer.account or "").lower() == wanted.lower():
            return
        found = f"gives a token of {bearer.account}" if bearer.account else "does not say whose its token is"
        raise SignInNeeded(
            f"{bearer.source} {found}, {self.organisation} is configured for {wanted}",
            hint=account_login(self.tools.environ, wanted, tenant),
            drops_token=bearer.account is not None,
        )

    async def _credential_by(self, identity: Identity, bearer: Bearer, goal: _Goal) -> Credential:
        """The credential for the bearer, or for another where the authority wants claims of it."""
        try:
            return await self._exchanged(bearer, goal)
        except _ClaimsWanted as refusal:
            again = await identity.bearer(goal.tenant, refusal.claims)
            if refusal.claims == self.claims or isinstance(again, Skipped):
                raise
            self._check_account(again, goal.tenant)
            return await self._exchanged(again, goal)

    async def _exchanged(self, bearer: Bearer, goal: _Goal) -> Credential:
        wanted = self.settings.token or ("session" if bearer.kind == "user" else "entra")
        if bearer.kind == "ready" or wanted == "entra":
            username = SESSION_USERNAME if bearer.kind == "ready" else BEARER_USERNAME
            secret, ends = bearer.token, bearer.expires_at
            trace_step("exchange", "none: the token is for the feed as it is")
        else:
            issued = await self._exchange(bearer, goal)
            username, secret, ends = SESSION_USERNAME, issued.secret, issued.expires_at
        tenant = bearer.tenant or (goal.tenant if bearer.kind != "ready" else None)
        unknown = ends is None and bearer.source in TOOLS
        return Credential(
            username,
            secret,
            ends,
            bearer.source,
            bearer.account,
            tenant,
            manual_renewal=bearer.manual_renewal,
            replacing=bearer.replacing,
            is_end_unknown=unknown,
        )

    async def _exchange(self, bearer: Bearer, goal: _Goal) -> SessionToken:
        for valid_to in (self.tools.now() + LIFE, None):
            request = exchange_request(goal.challenge, bearer.token, self.scope, valid_to)
            outcome = read_exchange(
                await self._send(request), self.organisation, asked_life=valid_to is not None
            )
            match outcome:
                case SessionToken(_, ends):
                    until = "does not say when it ends" if ends is None else self._until(ends)
                    trace_step("exchange", f"session token, scope {SCOPES[self.scope]}, {until}", good=True)
                    return outcome
                case BearerRefused(why, claims):
                    who = bearer.account or bearer.source
                    told = f"{self.organisation} does not take the sign-in of {who} ({why})"
                    hint = bearer.replacing or self._sign_in_anew(bearer, goal.tenant)
                    raise Refused(told, hint=hint) if claims is None else _ClaimsWanted(told, hint, claims)
                case LifeRefused():
                    continue
        raise AssertionError("a request without a life cannot have it refused")

    async def _send(self, request: Request, *, head_only: bool = False) -> Response:
        try:
            return await self.tools.http.send(request, head_only=head_only)
        except Unreachable as error:
            raise Unavailable(error.reason) from None

    def _sign_in_anew(self, bearer: Bearer, tenant: str) -> str:
        """The command for another sign-in by the same way, which goes before any other's."""
        if bearer.source in {LoginMethod.BROWSER, LoginMethod.DEVICE_CODE}:
            return brokerctl_login(self.feed)
        if bearer.source == AzureDeveloperCli.name:
            return azd_login_line(tenant)
        if bearer.source == AzureCli.name and self.settings.account is not None:
            return account_login(self.tools.environ, self.settings.account, tenant)
        return login_line(tenant)

    def _no_source(self, tenant: str, skipped: Sequence[Skipped]) -> SignInNeeded:
        """That nothing here can sign in, and why; of the default order, what a person might miss."""
        told = [one for one in skipped if not self._is_elsewhere(one.name, one.why)]
        why = "; ".join(f"{one.name}: {one.why}" for one in told)
        by_us = {LoginMethod.BROWSER, LoginMethod.DEVICE_CODE}.intersection(self.settings.auth)
        is_az_here = any(one.name == AzureCli.name and one.unavailable_reason() is None for one in self.chain)
        hint = brokerctl_login(self.feed) if by_us and not is_az_here else login_line(tenant)
        failure = NoSource(f"nothing here can sign in to {self.organisation} ({why})", hint=hint)
        return self._for_an_agent(failure, tenant)

    def _is_elsewhere(self, name: str, why: str | None) -> bool:
        """True for a way of the default order that belongs to machines of another kind."""
        return why is not None and self.settings.auth == DEFAULT_AUTH and name not in EVERYWHERE

    def _for_an_agent(self, failure: SignInNeeded, tenant: str) -> SignInNeeded:
        """The failure with what helps where no person can sign in: the lines that the pipeline file lacks."""
        if failure.hint is not None and "login" in failure.hint:
            failure.hint = pipeline_lines(self.tools.environ, tenant) or failure.hint
        return failure

    def _took(self, begun: datetime) -> str:
        spent_s = (self.tools.now() - begun).total_seconds()
        return f"{spent_s:.2f} s" if spent_s >= 1 else f"{spent_s * 1000:.0f} ms"

    def _until(self, ends: datetime) -> str:
        left_min = (ends - self.tools.now()).total_seconds() / 60
        return f"ends {ends:%H:%M} UTC ({left_min:.0f} min)"


def _is_of(owner: str | None, bearer: Bearer) -> bool:
    return owner is None or (bearer.account or "").lower() == owner.lower()


def _worst(failures: Sequence[NotObtained], is_sure: bool) -> NotObtained:
    """The failure to report: one that may pass by itself hides no other way's recovery, so it comes first.

    A held token is dropped only when every way that could have given it says that its account is gone.
    """
    failure = min(failures, key=lambda one: (not isinstance(one, Unavailable), not isinstance(one, Refused)))
    if isinstance(failure, SignInNeeded):
        failure.drops_token = is_sure and all(getattr(one, "drops_token", False) for one in failures)
    return failure
