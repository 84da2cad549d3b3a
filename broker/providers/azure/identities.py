"""The ways to sign in to Azure that `auth` may name, and what each of them comes back with.

To add one: a file with a class that satisfies Identity, one line in `provider.IDENTITIES`, and its name in
`settings.AUTH`.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Protocol, runtime_checkable

from broker.core.credential import Secret
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.expiry import earliest, from_epoch
from broker.providers.jwt import claims_of

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps, as Entra knows it in every tenant."""

Kind = Literal["user", "app", "ready"]


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a sign-in gave: the Entra token of a user or an app, or a token that is `ready` for the feed as it
    is (a personal access token, a pipeline's own). `source` is how it was come by, `expires_at` is UTC.
    The last two are a `Credential`'s.
    """

    token: Secret
    kind: Kind
    source: str
    expires_at: datetime | None
    account: str | None = None
    tenant: str | None = None
    manual_renewal: str | None = None
    replacing: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A way that is not open here, and why, in one line."""

    name: str
    why: str


class Identity(Protocol):
    """One way to sign in. It may look at the machine, run a program or ask a service; it never prompts."""

    name: ClassVar[str]

    def unavailable_reason(self) -> str | None:
        """Why this way is closed on this machine whatever the tenant, or None. Cheap, without network."""
        ...

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Sign in for the tenant (a GUID, a domain, or ORGANISATIONS); raises NotObtained when that fails.

        `claims`: what the feed wants the token to say, in JSON. A way that cannot have it said by itself
        signs in as usual and names the line that can, as `replacing`.
        """
        ...

    def fingerprint(self) -> Hashable:
        """What changes when a person signed in or out this way."""
        ...


@runtime_checkable
class Owned(Protocol):
    """A way that one person has chosen for the feed: where it fails, no other account's token takes its
    place.
    """

    @property
    def account(self) -> str | None:
        """The account that has signed in this way; None while there is none."""
        ...


def entra_bearer(token: Secret, source: str, told: datetime | None = None) -> Bearer:
    """The bearer that an Entra access token is; `told` is the end that came with it, if one did."""
    claims = claims_of(token.reveal())
    return Bearer(
        token,
        "app" if is_app(claims) else "user",
        source,
        earliest(told, from_epoch(claims.get("exp"))),
        account_of(claims),
        tenant_of(claims),
    )


def is_app(claims: Mapping[str, object]) -> bool:
    """True for a token that no person stands behind: a service principal's or a managed identity's.

    `idtyp` says so where the app registration asks for it; else only users have delegated scopes, and only
    apps have roles without them (Microsoft's access token claims reference). Unknown counts as a user, whose
    exchange then fails with a reason.
    """
    if "idtyp" in claims:
        return claims["idtyp"] == "app"
    return "roles" in claims and "scp" not in claims


def account_of(claims: Mapping[str, object]) -> str | None:
    """Whom the token names: a user's address, else an application's or an object's id."""
    # a user's token has an `appid`, too: the program's that signed in
    names = ("appid", "azp", "oid") if is_app(claims) else ("upn", "preferred_username", "unique_name", "oid")
    values = (claims.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value.isprintable()), None)


def tenant_of(claims: Mapping[str, object]) -> str | None:
    """The tenant that issued the token; None for a token that is not Entra's."""
    tenant = claims.get("tid")
    return tenant.lower() if isinstance(tenant, str) and tenant.isprintable() else None


def login_line(tenant: str, *more: str) -> str:
    """The command that signs in to the tenant with the Azure CLI."""
    chosen = () if tenant == ORGANISATIONS else ("--tenant", tenant)
    return " ".join(("az", "login", *chosen, *more))
