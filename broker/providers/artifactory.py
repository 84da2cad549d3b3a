"""`artifactory`: JFrog Artifactory feeds, with a configured login, a refreshed token, or a CI job's exchange.

A refresh token can be used once: the one that came back with a token is kept in this process, for as long
as the configured one, which began the chain, does not change. Read `ArtifactoryProvider.obtain`.
"""

import json
from collections.abc import Hashable
from typing import Annotated, ClassVar, NamedTuple, Self
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field, model_validator

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused, SignInNeeded, Unavailable
from broker.core.feeds import Feed
from broker.core.urls import Url
from broker.host.http import Request, Response
from broker.host.unreachable import Unreachable
from broker.providers import protocol, secrets
from broker.providers.github_oidc import job_assertion
from broker.providers.program import ANY_USERNAME, Found, checked_username
from broker.providers.token_endpoint import Denial, Grant, read_grant

REFRESH = ("access", "api", "v1", "tokens")
EXCHANGE = ("access", "api", "v1", "oidc", "token")
"""JFrog's Access REST API: "Refresh Token", and since 7.77.3 the exchange of its OIDC integration."""

CONTEXT = "artifactory"

_SOURCE = BeforeValidator(secrets.parse)


class ArtifactorySettings(protocol.Settings):
    """`secret` is where the password or token is. With `refresh`, where a refresh token is, it is renewed.

    `oidc` names the provider in JFrog's OIDC integration: a job's assertion, GitHub's own or the one that
    `secret` holds, is exchanged for a token; `audience` is what the integration wants in it.
    """

    username: Annotated[str, BeforeValidator(checked_username)] | None = None
    secret: Annotated[secrets.SecretSource, _SOURCE] | None = None
    refresh: Annotated[secrets.SecretSource, _SOURCE] | None = None
    oidc: Annotated[str, Field(min_length=1)] | None = None
    audience: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.oidc is None and self.secret is None:
            raise ValueError("write where the token is, in secret, or the OIDC provider's name, in oidc")
        if self.oidc is not None and self.refresh is not None:
            raise ValueError("oidc gets a new token for each job: leave out refresh")
        if self.oidc is None and self.audience is not None:
            raise ValueError("audience belongs to oidc")
        return self


class _Chain(NamedTuple):
    """The last link of a chain of refreshes: the refresh token it began with, and the pair now in force."""

    began: Secret
    access: Secret
    refresh: Secret


class ArtifactoryProvider:
    """Reads the configured secret, refreshes a token with it, or exchanges a job's assertion."""

    name: ClassVar[str] = "artifactory"
    settings: ClassVar[type[protocol.Settings]] = ArtifactorySettings

    _chains: ClassVar[dict[tuple[str, str], _Chain]] = {}
    """By origin and identity. Of the class: a reload makes a new provider, and must not break a chain."""

    def __init__(self, tools: protocol.Tools) -> None:
        self._http = tools.http
        self._environ = tools.environ
        self._now = tools.now

    def identity(self, settings: protocol.Settings) -> str:
        """The username, and where whatever signs in is."""
        own = _own(settings)
        parts = [own.username] if own.username else []
        parts += [secrets.spell(own.secret)] if own.secret else []
        parts += [f"refresh={secrets.spell(own.refresh)}"] if own.refresh else []
        parts += [f"oidc={own.oidc}"] if own.oidc else []
        parts += [f"audience={own.audience}"] if own.audience else []
        return " ".join(parts)

    def kind(self, settings: protocol.Settings) -> str:
        """`password` for what is only read, else `token`."""
        own = _own(settings)
        return "password" if own.oidc is None and own.refresh is None else "token"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None for a token, which names its user itself."""
        return _own(settings).username

    def sign_in_marks(self, feed: Feed) -> Hashable:
        """What changes when a secret was replaced; None where one of them cannot be watched."""
        own = _own(feed.settings)
        sources = [source for source in (own.secret, own.refresh) if source is not None]
        marks = [secrets.marks(source, self._environ) for source in sources]
        return None if None in marks else tuple(marks)

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a token knows no scope
        """Read, refresh or exchange.

        Raises what `secrets.read` raises; SignInNeeded for a refresh token that was used or revoked, Refused
        when the exchange is not allowed, Unavailable when Artifactory cannot be asked.
        """
        own = _own(feed.settings)
        if own.oidc is not None:
            return await self._exchanged(feed, own, own.oidc)
        if own.secret is None:
            raise AssertionError("the settings' own check wants a secret")
        if own.refresh is not None:
            return await self._refreshed(feed, own, own.secret, own.refresh)
        found = await self._read(feed, own.secret, own.username)
        return Credential(
            username=own.username or found.username or ANY_USERNAME,
            secret=found.secret,
            expires_at=found.expires_at,
            source=secrets.shown(own.secret),
            account=own.username or found.username,
            is_personal=found.username is not None,
        )

    async def _refreshed(
        self,
        feed: Feed,
        own: ArtifactorySettings,
        access: secrets.SecretSource,
        refresh: secrets.SecretSource,
    ) -> Credential:
        key = (str(feed.url.origin), self.identity(own))
        began = (await self._read(feed, refresh, own.username)).secret
        chain = self._chains.get(key)
        if chain is None or chain.began != began:
            chain = _Chain(began, (await self._read(feed, access, own.username)).secret, began)
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
            place = secrets.shown(refresh)
            raise SignInNeeded(
                f"the refresh token from {place} was used already, has expired or was revoked",
                hint=secrets.replacing(refresh),
            )
        self._chains[key] = _Chain(began, grant.token.secret, grant.refresh or chain.refresh)
        return _credential(grant, own, secrets.shown(refresh))

    async def _exchanged(self, feed: Feed, own: ArtifactorySettings, provider: str) -> Credential:
        if own.secret is None:
            subject = await job_assertion(self._http, self._environ, own.audience)
        else:
            subject = (await self._read(feed, own.secret, own.username)).secret
        asked = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": subject.reveal(),
            "provider_name": provider,
            **({"audience": own.audience} if own.audience else {}),
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

    async def _read(self, feed: Feed, source: secrets.SecretSource, username: str | None) -> Found:
        return await secrets.read(source, host=feed.url.origin.host, username=username, environ=self._environ)

    async def _send(self, request: Request) -> Response:
        try:
            return await self._http.send(request)
        except Unreachable as error:
            raise Unavailable(error.reason) from None


def _credential(grant: Grant, own: ArtifactorySettings, source: str) -> Credential:
    username = own.username or grant.account or ANY_USERNAME
    return Credential(username, grant.token.secret, grant.token.expires_at, source, account=grant.account)


def _access(url: Url, path: tuple[str, ...]) -> str:
    """An address of the Access service, which lies beside `/artifactory/`, else at the origin's root."""
    at = url.segments.index(CONTEXT) if CONTEXT in url.segments else 0
    return str(Url(url.origin, (*url.segments[:at], *path))).rstrip("/")


def _own(settings: object) -> ArtifactorySettings:
    if not isinstance(settings, ArtifactorySettings):
        raise TypeError("these settings belong to another provider")
    return settings
