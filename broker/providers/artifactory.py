"""`artifactory`: JFrog Artifactory feeds, with a configured login, a refreshed token, a CI job's exchange, or
the sign-in of `jf`.

A refresh token can be used once: the one that came back with a token is kept in this process, for as long
as the configured one, which began the chain, does not change. Two who ask at
once wait for each other. Read `ArtifactoryProvider.obtain`.
"""

import asyncio
import json
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, ClassVar, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from broker.core import secret_source
from broker.core.credential import Credential, Secret
from broker.core.failures import NoSource, Refused, SignInNeeded, Unavailable
from broker.core.feeds import Feed
from broker.core.urls import Url
from broker.host.http import Request, Response
from broker.host.http_errors import Unreachable
from broker.providers import jfrog_aws, jfrog_cli, protocol, secret_reader
from broker.providers.github_oidc import job_assertion
from broker.providers.helper_program import ANY_USERNAME, SecretFound
from broker.providers.static_login import Line, Place, Username, login
from broker.providers.token_endpoint import Denial, TokenGrant, read_grant, subject_of

REFRESH = ("access", "api", "v1", "tokens")
EXCHANGE = ("access", "api", "v1", "oidc", "token")
"""JFrog's Access REST API: "Refresh Token", and since 7.77.3 the exchange of its OIDC integration."""

ELSEWHERE = frozenset({f"status {code}" for code in (204, 301, 302, 303, 307, 308, 404, 405)})
"""Answers that say nothing of a token: a gateway's, a sign-in page's, those of a wrong address."""

CONTEXT = "artifactory"

FIRST_LEFT = timedelta(minutes=10)
"""A configured access token that lives longer is handed out as it is: its refresh token works only once."""


class ArtifactorySettings(protocol.Settings):
    """`secret` is where the password or token is. With `refresh`, where a refresh token is, it is renewed.

    `oidc` names the provider in JFrog's OIDC integration: a job's assertion, GitHub's own or the one that
    `secret` holds (GitLab's `id_tokens`), is exchanged for a token. `audience` is what the integration wants
    in it, `mapping` and `project` the identity mapping and the project key where it must be told.

    `jf` is the server ID under which the JFrog CLI keeps a sign-in (`jfrog_cli.py`). `aws` is the region in
    which the machine's AWS role, or that of `profile`, says who it is (`jfrog_aws.py`).
    """

    username: Username | None = None
    secret: Place | None = None
    refresh: Place | None = None
    oidc: Line | None = None
    audience: Line | None = None
    mapping: Line | None = None
    project: Line | None = None
    aws: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None = None
    profile: Line | None = None
    jf: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_. -]{0,99}$")] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        others = self.secret or self.refresh or self.oidc
        if (self.jf and (others or self.aws)) or (self.aws and others):
            raise ValueError("jf and aws bring their own sign-in: leave out secret, refresh and oidc")
        if not (others or self.jf or self.aws) or (self.refresh and not self.secret and not self.oidc):
            raise ValueError(
                "write where the token is, in secret, the OIDC provider's name, in oidc, the server ID of "
                "the JFrog CLI, in jf, or the region of an AWS role, in aws"
            )
        if self.profile is not None and self.aws is None:
            raise ValueError("profile belongs to aws")
        if self.oidc is not None and self.refresh is not None:
            raise ValueError("oidc gets a new token for each job: leave out refresh")
        if self.oidc is None and (self.audience or self.mapping or self.project):
            raise ValueError("audience, mapping and project belong to oidc")
        return self


@dataclass
class _Chain:
    """The last link of a chain of refreshes, and who may make the next: a refresh token works once.

    `under_way` are the refreshes that nobody may give up: the answer has the only token for the next one.
    """

    access: Secret
    refresh: Secret
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    under_way: set[asyncio.Task[TokenGrant]] = field(default_factory=set)

    def begin(self, refreshing: Coroutine[None, None, TokenGrant]) -> asyncio.Task[TokenGrant]:
        """The refresh as a task of the chain's own, which goes on when its caller goes away."""
        begun = asyncio.create_task(refreshing)
        self.under_way.add(begun)
        begun.add_done_callback(self._end)
        return begun

    def _end(self, ended: asyncio.Task[TokenGrant]) -> None:
        self.under_way.discard(ended)
        if not ended.cancelled():
            ended.exception()  # its caller may be gone


class ArtifactoryProvider:
    """Reads the configured secret, refreshes a token with it, or exchanges a job's assertion."""

    name: ClassVar[str] = "artifactory"
    settings: ClassVar[type[protocol.Settings]] = ArtifactorySettings

    _chains: ClassVar[dict[tuple[str, Secret], _Chain]] = {}
    """By origin and the refresh token that it began with. Of the class: a reload makes a new provider, and
    must not break a chain.
    """

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._http = tools.http
        self._environ = tools.environ
        self._now = tools.now

    def identity(self, settings: protocol.Settings) -> str:
        """The username, and where whatever signs in is."""
        own = _own(settings)
        parts = [own.username] if own.username else []
        parts += [secret_source.spell(own.secret)] if own.secret else []
        parts += [f"refresh={secret_source.spell(own.refresh)}"] if own.refresh else []
        parts += [f"oidc={own.oidc}"] if own.oidc else []
        parts += [f"jf={own.jf}"] if own.jf else []
        parts += [f"aws={own.aws} {own.profile or ''}".strip()] if own.aws else []
        told = {"audience": own.audience, "mapping": own.mapping, "project": own.project}
        parts += [f"{name}={value}" for name, value in told.items() if value]
        return " ".join(parts)

    def kind(self, settings: protocol.Settings) -> str:
        """`password` for what is only read, else `token`."""
        own = _own(settings)
        return "token" if own.oidc or own.refresh or own.jf or own.aws else "password"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None for a token, which names its user itself."""
        return _own(settings).username

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes when a secret was replaced; None where one of them cannot be watched."""
        own = _own(feed.settings)
        if own.jf is not None:
            return jfrog_cli.fingerprint(self._environ)
        if own.aws is not None:
            return jfrog_aws.fingerprint(self._environ)
        sources = [source for source in (own.secret, own.refresh) if source is not None]
        fingerprint = [secret_reader.fingerprint(source, self._environ) for source in sources]
        return None if None in fingerprint else tuple(fingerprint)

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a token knows no scope
        """Read, refresh or exchange.

        Raises what `secret_reader.read` raises; SignInNeeded for a refresh token that was used or revoked,
        Refused when the exchange is not allowed, Unavailable when Artifactory cannot be asked.
        """
        own = _own(feed.settings)
        if own.oidc is not None:
            return await self._exchanged(feed, own, own.oidc)
        if own.jf is not None:
            return await self._from_cli(own, own.jf)
        if own.aws is not None:
            return await self._of_role(feed, own, own.aws)
        if own.secret is None:
            raise AssertionError("the settings' own check wants a secret")
        if own.refresh is not None:
            return await self._refreshed(feed, own, own.secret, own.refresh)
        found = await self._read(feed, own.secret, own.username)
        return login(found, own.secret, own.username, subject_of(found.secret) or ANY_USERNAME)

    async def _from_cli(self, own: ArtifactorySettings, server: str) -> Credential:
        token, person = await jfrog_cli.token_of(server, self._environ, self._http.ca, self._now())
        account = person or subject_of(token.secret)
        username = own.username or account or ANY_USERNAME
        source, unknown = f"jf:{server}", token.expires_at is None
        return Credential(
            username, token.secret, token.expires_at, source, account=account, is_end_unknown=unknown
        )

    async def _of_role(self, feed: Feed, own: ArtifactorySettings, region: str) -> Credential:
        url = _access(feed.url, jfrog_aws.PATH)
        request = await jfrog_aws.exchange_request(url, region, own.profile, self._environ, self._http.ca)
        grant = read_grant(await self._send(request), self._now(), feed.url.origin.host)
        if isinstance(grant, Denial):
            raise Refused(
                f"{feed.url.origin.host} does not exchange this machine's AWS role ({grant.code}): has "
                "one of its users that role?"
            )
        return _credential(grant, own, f"aws:{own.profile or 'default'}")

    async def _refreshed(
        self,
        feed: Feed,
        own: ArtifactorySettings,
        access: secret_source.SecretSource,
        refresh: secret_source.SecretSource,
    ) -> Credential:
        began = (await self._read(feed, refresh, own.username)).secret
        key = (str(feed.url.origin), began)
        if key not in self._chains:
            first = await self._read(feed, access, own.username)
            if first.expires_at is not None and first.expires_at - self._now() > FIRST_LEFT:
                first_username = subject_of(first.secret) or ANY_USERNAME
                return replace(login(first, access, own.username, first_username), manual_renewal=None)
            self._chains.setdefault(key, _Chain(first.secret, began))
        chain = self._chains[key]
        refreshing = chain.begin(self._lengthened(feed, key, chain, refresh))
        await asyncio.wait({refreshing})
        return _credential(refreshing.result(), own, secret_source.shown(refresh))

    async def _lengthened(
        self, feed: Feed, key: tuple[str, Secret], chain: _Chain, refresh: secret_source.SecretSource
    ) -> TokenGrant:
        """The next link, when the chain has it."""
        async with chain.alone:
            try:
                grant = await self._next(feed, chain, refresh)
            except SignInNeeded:
                self._chains.pop(key, None)  # the next try begins with what is configured then
                raise
            chain.access, chain.refresh = grant.token.secret, grant.refresh or chain.refresh
        return grant

    async def _next(self, feed: Feed, chain: _Chain, refresh: secret_source.SecretSource) -> TokenGrant:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": chain.refresh.reveal(),
            "access_token": chain.access.reveal(),
        }
        headers = (("Content-Type", "application/x-www-form-urlencoded"),)
        body = urlencode(form).encode()
        response = await self._send(Request("POST", _access(feed.url, REFRESH), headers, body))
        grant = read_grant(response, self._now(), feed.url.origin.host)
        if isinstance(grant, Denial):
            if grant.code in ELSEWHERE:
                host = feed.url.origin.host
                raise Refused(f"{host} does not refresh tokens where Artifactory does ({grant.code})")
            place = secret_source.shown(refresh)
            raise SignInNeeded(
                f"the refresh token from {place} was used (each works once), has ended or was revoked",
                hint=secret_reader.replacing(refresh),
            )
        return grant

    async def _exchanged(self, feed: Feed, own: ArtifactorySettings, provider: str) -> Credential:
        if own.secret is None:
            if self._environ.get("GITLAB_CI"):
                raise NoSource(
                    "in a GitLab job the assertion is a variable of id_tokens: write its name in secret"
                )
            subject = await job_assertion(self._http, self._environ, own.audience)
        else:
            subject = (await self._read(feed, own.secret, own.username)).secret
        asked = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": subject.reveal(),
            "provider_name": provider,
            **({"audience": own.audience} if own.audience else {}),
            **({"identity_mapping_name": own.mapping} if own.mapping else {}),
            **({"project_key": own.project} if own.project else {}),
        }
        headers = (("Content-Type", "application/json"),)
        body = json.dumps(asked).encode()
        response = await self._send(Request("POST", _access(feed.url, EXCHANGE), headers, body))
        grant = read_grant(response, self._now(), feed.url.origin.host)
        if isinstance(grant, Denial):
            raise Refused(
                f"{feed.url.origin.host} does not exchange this job's assertion ({grant.code}): "
                f"is there an OIDC provider {provider} with a mapping for it?"
            )
        return _credential(grant, own, f"oidc:{provider}")

    async def _read(
        self, feed: Feed, source: secret_source.SecretSource, username: str | None
    ) -> SecretFound:
        return await secret_reader.read(
            source, host=feed.url.origin.host, username=username, environ=self._environ
        )

    async def _send(self, request: Request) -> Response:
        try:
            return await self._http.send(request)
        except Unreachable as error:
            raise Unavailable(error.reason) from None


def _credential(grant: TokenGrant, own: ArtifactorySettings, source: str) -> Credential:
    username = own.username or grant.account or ANY_USERNAME
    return Credential(
        username,
        grant.token.secret,
        grant.token.expires_at,
        source,
        account=grant.account,
        is_end_unknown=grant.is_end_unknown,
    )


def _access(url: Url, path: tuple[str, ...]) -> str:
    """An address of the Access service, which lies beside `/artifactory/`, else at the origin's root."""
    at = url.segments.index(CONTEXT) if CONTEXT in url.segments else 0
    return str(Url(url.origin, (*url.segments[:at], *path))).rstrip("/")


def _own(settings: object) -> ArtifactorySettings:
    if not isinstance(settings, ArtifactorySettings):
        raise TypeError("these settings belong to another provider")
    return settings
