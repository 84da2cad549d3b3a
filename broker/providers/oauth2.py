"""`oauth2`: an access token by client credentials (RFC 6749 section 4.4), for any registry that takes one."""

import base64
from collections.abc import Hashable
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import AfterValidator

from broker.core import secret_source
from broker.core.credential import Credential, Secret
from broker.core.failures import BadRequest, Refused, Unavailable
from broker.core.feeds import Feed
from broker.core.urls import parse_url
from broker.host.http import Request, Response
from broker.host.http_errors import Unreachable
from broker.providers import protocol, secret_reader
from broker.providers.helper_program import ANY_USERNAME
from broker.providers.static_login import Line, Place, Username
from broker.providers.token_endpoint import Denial, read_grant


def _endpoint(text: str) -> str:
    try:
        parse_url(text)
    except BadRequest as error:
        raise ValueError(error.detail) from None
    if "@" in text or "#" in text or "://" not in text:
        raise ValueError("a token endpoint is a whole https URL without userinfo or fragment")
    return text


class OAuth2Settings(protocol.Settings):
    """`secret` is where the client's secret is; `client_auth` whether it is sent as `basic` or as `post`.

    `scope` and `audience` are what the server wants to hear, `username` what the registry does.
    """

    token_endpoint: Annotated[str, AfterValidator(_endpoint)]
    client_id: Line
    secret: Place
    scope: Line | None = None
    audience: Line | None = None
    client_auth: Literal["basic", "post"] = "basic"
    username: Username = ANY_USERNAME


class OAuth2Provider:
    """Asks the configured token endpoint at each renewal."""

    name: ClassVar[str] = "oauth2"
    settings: ClassVar[type[protocol.Settings]] = OAuth2Settings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._http = tools.http
        self._environ = tools.environ
        self._now = tools.now

    def identity(self, settings: protocol.Settings) -> str:
        """The client, where its secret is, and everything else that the token depends on."""
        own = _own(settings)
        told = own.model_dump(exclude={"secret"}, exclude_defaults=True)
        return " ".join(
            (*(f"{name}={value}" for name, value in told.items()), secret_source.spell(own.secret))
        )

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `token`."""
        return "token"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one; None where nothing was configured, and so nothing can be known."""
        own = _own(settings)
        return own.username if "username" in own.model_fields_set else None

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes when the client's secret was replaced."""
        return secret_reader.fingerprint(_own(feed.settings).secret, self._environ)

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - the configured scope is meant for all
        """Ask for a token.

        Raises what `secret_reader.read` raises, Refused for a client, secret or scope that the server does
        not take, Unavailable when it cannot be asked.
        """
        own = _own(feed.settings)
        found = await secret_reader.read(
            own.secret, host=_host(own), username=own.client_id, environ=self._environ
        )
        response = await self._send(token_request(own, found.secret))
        grant = read_grant(response, self._now(), _host(own))
        if isinstance(grant, Denial):
            if grant.code in {"invalid_client", "status 401"}:
                raise Refused(
                    f"{_host(own)} does not take the client's secret from {secret_source.shown(own.secret)}",
                    hint=secret_reader.replacing(own.secret),
                )
            raise Refused(f"{_host(own)} gives client {own.client_id} no token ({grant.code})")
        token = grant.token
        source = f"oauth2:{own.client_id}"
        return Credential(
            own.username,
            token.secret,
            token.expires_at,
            source,
            account=own.client_id,
            is_end_unknown=grant.is_end_unknown,
        )

    async def _send(self, request: Request) -> Response:
        try:
            return await self._http.send(request)
        except Unreachable as error:
            raise Unavailable(error.reason) from None


def token_request(own: OAuth2Settings, secret: Secret) -> Request:
    """The request for a token; with `basic`, both parts are form-encoded first (RFC 6749 section 2.3.1)."""
    form = {"grant_type": "client_credentials"}
    form |= {"scope": own.scope} if own.scope else {}
    form |= {"audience": own.audience} if own.audience else {}
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
    if own.client_auth == "post":
        form |= {"client_id": own.client_id, "client_secret": secret.reveal()}
    else:
        pair = f"{quote_plus(own.client_id)}:{quote_plus(secret.reveal())}".encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(pair).decode()}"))
    return Request("POST", own.token_endpoint, tuple(headers), urlencode(form).encode())


def _host(own: OAuth2Settings) -> str:
    return parse_url(own.token_endpoint).origin.host


def _own(settings: object) -> OAuth2Settings:
    if not isinstance(settings, OAuth2Settings):
        raise TypeError("these settings belong to another provider")
    return settings
