"""`env`: a token that somebody left for us, in a variable, in a file that one names, or in a build secret."""

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from broker.core.credential import Secret
from broker.core.failures import NotObtained
from broker.core.status import rfc3339
from broker.providers.azure.challenge import is_guid
from broker.providers.azure.identities import Bearer, Skipped, entra_bearer, tenant_of
from broker.providers.jwt import claims_of, expiry_of
from broker.providers.secrets import expand, file_mark, read_file

TOKEN_FILE = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"  # noqa: S105 - a variable's name
TOKENS = ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "VSS_NUGET_ACCESSTOKEN")
BUILD_SECRETS = ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "ado_token")
"""The names and the order of artifacts-keyring-nofuss 1.3.3: the file, the variables, the build secrets."""

JOB_TOKEN = "SYSTEM_ACCESSTOKEN"  # noqa: S105 - a variable's name
"""The token of an Azure Pipelines job, last: it reaches us only where the pipeline maps it on purpose."""

BUILD_SECRETS_FOLDER = Path("/run/secrets")
"""Where BuildKit mounts a build's secrets."""

NONE_LEFT = "no token variable, token file or build secret"


class EnvTokens:
    """Uses the first token that still lives; any but an Entra token is ready for the feed as it is."""

    name: ClassVar[str] = "env"

    def __init__(
        self,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        build_secrets: Path = BUILD_SECRETS_FOLDER,
    ) -> None:
        self._environ = environ
        self._now = now
        self._build_secrets = build_secrets

    def missing(self) -> str | None:
        """That nobody left a token."""
        return None if any(self._places()) else NONE_LEFT

    async def bearer(self, tenant: str) -> Bearer | Skipped:
        """The first usable token; Skipped tells what is wrong with each of the others."""
        why = []
        for source, place in self._places():
            outcome = await self._judged(source, place, tenant)
            if isinstance(outcome, Bearer):
                return outcome
            why.append(f"{source}: {outcome}")
        return Skipped(self.name, "; ".join(why) or NONE_LEFT)

    def marks(self) -> Hashable:
        """What changes with any of the variables and files."""
        return tuple(
            (source, file_mark(place) if isinstance(place, Path) else hash(place))
            for source, place in self._places()
        )

    def _places(self) -> Iterator[tuple[str, Path | str]]:
        """Where tokens are, in order: how each is called, and its file or its text."""
        if path := self._environ.get(TOKEN_FILE, "").strip():
            yield f"env:{TOKEN_FILE}", expand(path, self._environ)
        for name in TOKENS:
            yield from self._variable(name)
        for name in BUILD_SECRETS:
            if file_mark(self._build_secrets / name) is not None:
                yield f"file:{self._build_secrets / name}", self._build_secrets / name
        yield from self._variable(JOB_TOKEN)

    def _variable(self, name: str) -> Iterator[tuple[str, str]]:
        if text := self._environ.get(name, "").strip():
            yield f"env:{name}", text

    async def _judged(self, source: str, place: Path | str, tenant: str) -> Bearer | str:
        """The token at a place as a bearer, or why it is no use."""
        try:
            if isinstance(place, Path):
                place = await asyncio.to_thread(read_file, place, private=False)
            token = Secret(place)
        except NotObtained as failure:
            return failure.detail
        except ValueError:
            return "not one line of printable ASCII"
        ends, owner = expiry_of(token.reveal()), tenant_of(claims_of(token.reveal()))
        if ends is not None and ends <= self._now():
            return f"its token ended at {rfc3339(ends)}"
        if owner is None:
            return Bearer(token, "ready", source, ends)
        if is_guid(tenant) and owner != tenant:
            return f"its token is of tenant {owner}"
        return entra_bearer(token, source)
