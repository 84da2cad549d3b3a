"""`cloudsmith`: Cloudsmith's Python repositories, with a key, an entitlement token, or a CI job's exchange.

A job's assertion is exchanged for a token of a service account (Cloudsmith's "OpenID Connect", and "Openid
Create" of its API), which lives for about 90 minutes. Read `CloudsmithProvider.obtain`.
"""

import json
from collections.abc import Hashable, Mapping
from typing import Annotated, ClassVar

from pydantic import Field as Checked

from broker.core import secret_source
from broker.core.credential import Credential
from broker.core.failures import Refused, Unavailable
from broker.core.feeds import DEFAULT_IDENTITY, Feed
from broker.host.http import Request, Response
from broker.host.http_errors import Unreachable
from broker.providers import protocol, secret_reader
from broker.providers.helper_program import SecretFound, found
from broker.providers.job_assertions import is_in_job, job_assertion
from broker.providers.protocol import Unworkable
from broker.providers.retry_after import retry_after_s
from broker.providers.static_login import Line, Place, Username, login, no_secret

TOKEN_USERNAME = "token"  # noqa: S105 - a name, not a secret
"""What Cloudsmith's Python page writes beside an entitlement token or a key."""

API = "https://api.cloudsmith.io/v2/openid/"

AUDIENCE = "cloudsmith"
"""What Cloudsmith's CLI 1.30 asks a platform for."""

KEY = "CLOUDSMITH_API_KEY"
SERVICE = "CLOUDSMITH_SERVICE_SLUG"
"""Variables of Cloudsmith's CLI."""

Slug = Annotated[str, Checked(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class CloudsmithSettings(protocol.Settings):
    """`secret` is where the API key or the entitlement token is; without it CLOUDSMITH_API_KEY is read.

    `service` is the slug of a service account, whose token a job's assertion is exchanged for; `secret` then
    says where the assertion is, if its platform is not known here. `owner` is for an address that does not
    name it, `audience` what the provider settings want in the assertion.
    """

    username: Username | None = None
    secret: Place | None = None
    service: Slug | None = None
    owner: Slug | None = None
    audience: Line | None = None


class CloudsmithProvider:
    """Reads the configured key, or exchanges a job's assertion."""

    name: ClassVar[str] = "cloudsmith"
    settings: ClassVar[type[protocol.Settings]] = CloudsmithSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._http = tools.http
        self._environ = tools.environ

    def identity(self, settings: protocol.Settings) -> str:
        """What the settings say of who signs in; the default where they say nothing."""
        own = _own(settings)
        parts = [own.username] if own.username else []
        parts += [secret_source.spell(own.secret)] if own.secret else []
        told = {"service": own.service, "owner": own.owner, "audience": own.audience}
        parts += [f"{name}={value}" for name, value in told.items() if value]
        return " ".join(parts) or DEFAULT_IDENTITY

    def kind(self, settings: protocol.Settings) -> str:
        """`token` for an exchange, else `key`."""
        return "token" if self._service(_own(settings)) else "key"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None for a key or a token, which say themselves whose they are."""
        return _own(settings).username

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes when the secret was replaced, or with the variables of Cloudsmith's CLI."""
        own = _own(feed.settings)
        if own.secret is not None:
            return secret_reader.fingerprint(own.secret, self._environ)
        return tuple(hash(self._environ.get(name)) for name in (KEY, SERVICE))

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a token knows no scope
        """Read or exchange.

        Raises NoSource where neither is configured nor in the environment, what `secret_reader.read` raises,
        Refused when the exchange is not allowed, Unavailable when Cloudsmith cannot be asked.
        """
        own = _own(feed.settings)
        service = self._service(own)
        if service is not None:
            return await self._exchanged(feed, own, service)
        source = own.secret or secret_source.EnvSecret(KEY)
        if own.secret is None and not self._environ.get(KEY):
            raise no_secret("key", feed)
        found_secret = await self._read(feed, source, own.username)
        return login(found_secret, source, own.username, TOKEN_USERNAME)

    def unworkable(self, feed: Feed) -> Unworkable | None:
        """A service account is one of an owner's."""
        own = _own(feed.settings)
        if self._service(own) is None or own.owner or owner_of(feed):
            return None
        return Unworkable(_no_owner(feed), ("owner",))

    def _service(self, own: CloudsmithSettings) -> str | None:
        """The service account to get a token of; without a key the environment may name it in a job."""
        if own.service is not None or own.secret is not None or self._environ.get(KEY):
            return own.service
        return (self._environ.get(SERVICE) or None) if is_in_job(self._environ) else None

    async def _exchanged(self, feed: Feed, own: CloudsmithSettings, service: str) -> Credential:
        owner = own.owner or owner_of(feed)
        if owner is None:
            raise Refused(_no_owner(feed))
        if own.secret is None:
            subject = await job_assertion(self._http, self._environ, own.audience or AUDIENCE)
        else:
            subject = (await self._read(feed, own.secret, own.username)).secret
        body = json.dumps({"oidc_token": subject.reveal(), "service_slug": service}).encode()
        headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
        try:
            response = await self._http.send(Request("POST", f"{API}{owner}", headers, body))
        except Unreachable as error:
            raise Unavailable(error.reason) from None
        token = read_exchange(response, owner, service)
        return Credential(
            own.username or TOKEN_USERNAME,
            token.secret,
            token.expires_at,
            f"oidc:{service}",
            account=service,
            is_end_unknown=token.expires_at is None,
        )

    async def _read(
        self, feed: Feed, source: secret_source.SecretSource, username: str | None
    ) -> SecretFound:
        return await secret_reader.read(
            source, host=feed.url.origin.host, username=username, environ=self._environ
        )


def owner_of(feed: Feed) -> str | None:
    """The owner that the feed's address names, as it is spelled there; None at a domain of their own."""
    match feed.url.origin.host, feed.url.segments:
        case "dl.cloudsmith.io", ("basic", owner, *_):
            return owner
        case "python.cloudsmith.io", (owner, *_):
            return owner
    return None


def read_exchange(response: Response, owner: str, service: str) -> SecretFound:
    """The token in Cloudsmith's answer. Raises Refused and Unavailable; `detail` may quote what was sent."""
    status = response.status
    if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
        raise Unavailable(f"Cloudsmith answers {status}", retry_after_s=retry_after_s(response))
    if status not in {200, 201}:
        raise Refused(
            f"Cloudsmith does not exchange this job's assertion ({status}): is there a provider for it in "
            f"the settings of {owner}, and may it be {service}?"
        )
    try:
        answer = json.loads(response.body)
        return found(answer.get("token") if isinstance(answer, Mapping) else None)
    except (ValueError, RecursionError):
        raise Unavailable(f"Cloudsmith answers {status} without a token") from None


def _no_owner(feed: Feed) -> str:
    return f"{feed.url.origin} does not name Cloudsmith's owner: write owner in its feed"


def _own(settings: object) -> CloudsmithSettings:
    if not isinstance(settings, CloudsmithSettings):
        raise TypeError("these settings belong to another provider")
    return settings
