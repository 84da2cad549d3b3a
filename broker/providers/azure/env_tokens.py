"""`env`: what a user or a job left for us: a token in a variable, in a file that one names or in a build
secret, or what an application signs in with.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from broker.core.credential import Secret
from broker.core.failures import NotObtained
from broker.core.feeds import Feed
from broker.core.status import rfc3339
from broker.host.aside import in_thread
from broker.host.file_stamp import file_stamp
from broker.providers.azure.challenge import is_guid
from broker.providers.azure.endpoints import (
    ENDPOINTS,
    PREFIXES,
    Application,
    Left,
    Useless,
    application_in,
    is_for,
    left_in,
)
from broker.providers.azure.identities import Bearer, Skipped, entra_bearer, tenant_of
from broker.providers.azure.sdk_child import MACHINE
from broker.providers.azure.sdk_client import SdkMethod, directory, signed_in
from broker.providers.azure.settings import AzureSettings
from broker.providers.home import expand
from broker.providers.jwt import claims_of, expiry_of
from broker.providers.protocol import ProviderContext
from broker.providers.secret_reader import read_file

TOKEN_FILE = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"  # noqa: S105 - a variable's name
TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"  # noqa: S105 - a variable's name
BUILD_SECRETS = ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "ado_token")
"""The names and the order of artifacts-keyring-nofuss 1.3.3: the file, the variables, the build secrets.
Between them stand the variables of artifacts-credprovider, those that name their feeds first.
"""

JOB_TOKEN = "SYSTEM_ACCESSTOKEN"  # noqa: S105 - a variable's name
"""The token of an Azure Pipelines job, last: it reaches us only where the pipeline maps it on purpose."""

BUILD_SECRETS_FOLDER = Path("/run/secrets")
"""Where BuildKit mounts a build's secrets."""

NONE_LEFT = "no token variable, token file or build secret"

_NOT_ONE_LINE = "not one line of printable ASCII"


class EnvTokens:
    """Uses the first token that still lives; any but an Entra token is ready for the feed as it is.

    `feed` is whom the look-up is for and `tools` what its applications sign in with: without them the
    variables that name feeds or applications stay unread.
    """

    name: ClassVar[str] = "env"

    def __init__(
        self,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        build_secrets: Path = BUILD_SECRETS_FOLDER,
        *,
        feed: Feed | None = None,
        tools: ProviderContext | None = None,
    ) -> None:
        self._environ = environ
        self._now = now
        self._build_secrets = build_secrets
        self._feed = feed
        self._tools = tools

    def unavailable_reason(self) -> str | None:
        """Why there is no token: none was left."""
        return None if any(self._places()) else NONE_LEFT

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """The first usable token; Skipped tells what is wrong with each of the others.

        Raises the first failure of an application that cannot sign in, if nothing else can be used.
        """
        why: list[str] = []
        failure: NotObtained | None = None
        for source, place in self._places():
            try:
                outcome = await self._judged(source, place, tenant, claims)
            except NotObtained as refusal:
                failure = failure or refusal
                continue
            if isinstance(outcome, Bearer):
                return outcome
            why.append(f"{source}: {outcome}")
        if failure is not None:
            raise failure
        return Skipped(self.name, "; ".join(why) or NONE_LEFT)

    def fingerprint(self) -> Hashable:
        """What changes with any of the variables and files."""
        return tuple(
            (source, file_stamp(place) if isinstance(place, Path) else hash(place))
            for source, place in self._places()
        )

    def _places(self) -> Iterator[tuple[str, Path | Left]]:
        """Where tokens are, in order: how each is called, and its file or what was left there."""
        if path := self._environ.get(TOKEN_FILE, "").strip():
            yield f"env:{TOKEN_FILE}", expand(path, self._environ)
        yield from self._variable(TOKEN)
        yield from self._endpoints()
        for name, prefixes in PREFIXES.items():
            if self._feed is None or is_for(self._environ.get(prefixes, ""), self._feed):
                yield from self._variable(name)
        for name in BUILD_SECRETS:
            if file_stamp(self._build_secrets / name) is not None:
                yield f"file:{self._build_secrets / name}", self._build_secrets / name
        yield from self._variable(JOB_TOKEN)
        application = application_in(self._environ)
        if application is not None and self._tools is not None:
            yield f"env:{application[0]}", application[1]

    def _endpoints(self) -> Iterator[tuple[str, Left]]:
        for name in ENDPOINTS:
            if self._feed is not None and (text := self._environ.get(name, "").strip()):
                for left in left_in(text, self._feed):
                    yield f"env:{name}", left

    def _variable(self, name: str) -> Iterator[tuple[str, str]]:
        if text := self._environ.get(name, "").strip():
            yield f"env:{name}", text

    async def _judged(self, source: str, place: Path | Left, tenant: str, claims: str | None) -> Bearer | str:
        """What is at a place as a bearer, or why it is no use."""
        match place:
            case Useless(why):
                return why
            case Application():
                return await self._signed_in(source, place, tenant, claims)
            case Path():
                return await self._read(source, place, tenant)
        return self._token(source, place, tenant)

    async def _read(self, source: str, file: Path, tenant: str) -> Bearer | str:
        try:
            text = await in_thread(lambda: read_file(file, private=False))
        except NotObtained as failure:
            return failure.detail
        return self._token(source, text, tenant)

    def _token(self, source: str, text: str, tenant: str) -> Bearer | str:
        """The text as a token, or why it is no use."""
        try:
            token = Secret(text)
        except ValueError:
            return _NOT_ONE_LINE
        ends, owner = expiry_of(text), tenant_of(claims_of(text))
        if ends is not None and ends <= self._now():
            return f"its token ended at {rfc3339(ends)}"
        if owner is None:
            return Bearer(token, "ready", source, ends)
        if is_guid(tenant) and owner != tenant:
            return f"its token is of tenant {owner}"
        return entra_bearer(token, source)

    async def _signed_in(
        self, source: str, application: Application, tenant: str, claims: str | None
    ) -> Bearer | str:
        """The application's token; raises what keeps it from signing in."""
        home = application.tenant
        if home is not None and is_guid(home) and is_guid(tenant) and home != tenant:
            return f"its application is of tenant {home}"
        asked = directory(tenant, self._environ)
        if self._tools is None or self._feed is None or asked is None:
            return "the organisation names no tenant"
        kind = MACHINE
        if application.certificate is not None:
            kind = "client-certificate"
        elif application.secret is not None:
            kind = "client-secret"
        words = {"client_id": application.client_id, "certificate": application.certificate}
        try:
            secret = None if application.secret is None else Secret(application.secret.strip())
        except ValueError:
            return _NOT_ONE_LINE
        way = SdkMethod(self.name, source, words, secret)
        bearer = await signed_in(way, kind, self._tools, self._settings(), asked, claims)
        return bearer.why if isinstance(bearer, Skipped) else bearer

    def _settings(self) -> AzureSettings:
        own = None if self._feed is None else self._feed.settings
        return own if isinstance(own, AzureSettings) else AzureSettings()
