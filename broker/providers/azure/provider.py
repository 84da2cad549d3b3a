"""`azure`: Azure Artifacts feeds. Which ways to sign in there are, and which of them a feed's settings name.

One look-up is a Walk: read `token_flow.py` next.
"""

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, MutableMapping, Sequence
from typing import ClassVar

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.feeds import READ, Feed
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.providers import protocol
from broker.providers.azure import login
from broker.providers.azure.applications import ClientCertificate, ClientSecret, Default, Pat
from broker.providers.azure.azd import AzureDeveloperCli
from broker.providers.azure.azure_cli import AzureCli, folder_of
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.codespaces import AdoAuthHelper
from broker.providers.azure.env_tokens import EnvTokens
from broker.providers.azure.identities import Bearer, Identity
from broker.providers.azure.organisation import organisation_of
from broker.providers.azure.saved_login import Browser, DeviceCode
from broker.providers.azure.settings import AzureSettings
from broker.providers.azure.token_flow import SESSION_USERNAME, TokenFlow
from broker.providers.azure.workloads import AzurePipelines, GithubOidc, ManagedIdentity, WorkloadIdentity

IDENTITIES: Mapping[str, Callable[[protocol.ProviderContext], Identity]] = {
    AzureCli.name: lambda tools: AzureCli(tools.environ, ca=tools.http.ca),
    AzureDeveloperCli.name: lambda tools: AzureDeveloperCli(tools.environ, tools.http.ca),
    AdoAuthHelper.name: lambda tools: AdoAuthHelper(tools.environ),
}
"""The ways to sign in that are the same for every feed, by the name that `auth` has for them."""

FEEDS_OWN: Mapping[str, Callable[[protocol.ProviderContext, AzureSettings, Feed], Identity]] = {
    EnvTokens.name: lambda tools, _, feed: EnvTokens(tools.environ, tools.now, feed=feed, tools=tools),
    WorkloadIdentity.name: WorkloadIdentity,
    GithubOidc.name: GithubOidc,
    AzurePipelines.name: AzurePipelines,
    ManagedIdentity.name: ManagedIdentity,
    Browser.name: Browser,
    DeviceCode.name: DeviceCode,
    Pat.name: Pat,
    ClientSecret.name: ClientSecret,
    ClientCertificate.name: ClientCertificate,
    Default.name: Default,
}
"""The ways that a feed's own settings or address have a part in; made for one look-up."""


class AzureProvider:
    """Signs in as the settings say, and gives a token that is good for one organisation's feeds."""

    name: ClassVar[str] = "azure"
    settings: ClassVar[type[protocol.Settings]] = AzureSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._tools = tools
        self._identities = {name: make(tools) for name, make in IDENTITIES.items()}
        self._cli_of: MutableMapping[str, AzureCli] = {}

    def identity(self, settings: protocol.Settings) -> str:
        """What the settings say of who signs in; the default where they say nothing."""
        return _own(settings).identity

    def kind(self, settings: protocol.Settings) -> str:
        """`session` or `entra`, as configured; `session` stands for the choice by who signs in."""
        return _own(settings).token or "session"

    def username(self, settings: protocol.Settings) -> str | None:  # noqa: ARG002 - the same for all
        """Always None: the server ignores it."""
        return None

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes with the Azure CLI's account list, the token variables and their files."""
        return tuple(identity.fingerprint() for identity in self._chain(feed))

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        """Walk from the challenge to a token; raises what `TokenFlow.credential` says."""
        return await self._obtained(feed, scope, None)

    async def obtain_with(self, feed: Feed, scope: str, claims: str) -> Credential:
        """The same, with the claims that the feed wants of the token."""
        return await self._obtained(feed, scope, claims)

    async def _obtained(self, feed: Feed, scope: str, claims: str | None) -> Credential:
        settings, organisation = _own(feed.settings), organisation_of(feed.realm)
        if organisation is None:
            return await self._on_premises(feed)
        flow = TokenFlow(self._tools, feed, settings, organisation, scope, self._chain(feed), claims)
        return await flow.credential()

    def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        """Sign a person in to the feed's organisation; see `login.py`."""
        return login.sign_in(self._walk(feed), ways, in_file=in_file)

    async def sign_out(self, feed: Feed) -> SignedOut:
        """Drop the sign-in of the feed's organisation and account."""
        return await login.sign_out(self._walk(feed))

    def _walk(self, feed: Feed) -> TokenFlow:
        organisation = organisation_of(feed.realm)
        if organisation is None:
            raise Refused(f"{feed.url.origin} is not Azure DevOps Services: it has no Entra to sign in to")
        return TokenFlow(self._tools, feed, _own(feed.settings), organisation, READ, ())

    async def _on_premises(self, feed: Feed) -> Credential:
        """A personal access token is all that Azure DevOps Server takes: it has no Entra to sign in to."""
        for identity in self._with_tokens(feed):
            bearer = await identity.bearer(ORGANISATIONS)
            if isinstance(bearer, Bearer) and bearer.kind == "ready":
                return Credential(SESSION_USERNAME, bearer.token, bearer.expires_at, bearer.source)
        raise Refused(_no_token_for(feed))

    def unworkable(self, feed: Feed) -> protocol.Unworkable | None:
        """A server on premises needs a token that is there already."""
        if organisation_of(feed.realm) is not None or self._with_tokens(feed):
            return None
        return protocol.Unworkable(_no_token_for(feed), ("secret",))

    def _with_tokens(self, feed: Feed) -> list[Identity]:
        """The ways to sign in that have a personal access token here."""
        kept = {EnvTokens.name, Pat.name}
        return [each for each in self._chain(feed) if each.name in kept and not each.unavailable_reason()]

    def _chain(self, feed: Feed) -> list[Identity]:
        """The ways to sign in for the feed, in the order that its settings say."""
        own = _own(feed.settings)
        shared = {**self._identities, AzureCli.name: self._cli(own.account)}
        return [shared.get(name) or FEEDS_OWN[name](self._tools, own, feed) for name in own.auth]

    def _cli(self, account: str | None) -> Identity:
        """The account's own az, where it has a folder for its sign-in, else the usual one."""
        environ = self._tools.environ
        if account is None or not folder_of(environ, account).is_dir():
            return self._identities[AzureCli.name]
        return self._cli_of.setdefault(account.lower(), AzureCli(environ, account, self._tools.http.ca))


def _no_token_for(feed: Feed) -> str:
    return f"{feed.url.origin} is not Azure DevOps Services: write secret, where its token is"


def _own(settings: object) -> AzureSettings:
    if not isinstance(settings, AzureSettings):
        raise TypeError("these settings belong to another provider")
    return settings
