"""One Azure DevOps organisation: its tenant, its feeds, the session tokens it issued, who may do what,
and what each of its endpoints does wrong. State only; the endpoints read it.
Next: `feed_service.py` and `session_tokens.py`.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.fakes import tokens
from tests.fakes.faults import Faults
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.fakes.http1 import Headers
    from tests.fakes.wheels import Wheel

NO_TENANT = "00000000-0000-0000-0000-000000000000"  # what organisations without a directory announce
READ = "vso.packaging"
WRITE = "vso.packaging_write"
EVERYTHING = "user_impersonation"
DEFAULT_LIFETIME_S = 4 * 3600.0
LONGEST_LIFETIME_S = 24 * 3600.0

Clock = Callable[[], float]
Credential = Literal["none", "accepted", "refused"]


@dataclass(frozen=True)
class Visit:
    """One request to a feed host. `password` is what came as Basic password or bearer token."""

    method: str
    host: str
    path: str
    credential: Credential
    user: str | None
    status: int | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Exchange:
    """One request for a session token, and how it ended. `status` is None where no answer was given."""

    user: str | None
    scope: str | None
    display_name: str | None
    valid_to: str | None
    token_type: str | None
    status: int | None


@dataclass(frozen=True)
class Identity:
    """Who a credential speaks for, and its scopes."""

    user: str
    scopes: frozenset[str]

    def may_read(self) -> bool:
        """Whether the credential's scopes cover downloads."""
        return bool(self.scopes & {READ, WRITE, EVERYTHING})

    def may_write(self) -> bool:
        """Whether the credential's scopes cover uploads."""
        return bool(self.scopes & {WRITE, EVERYTHING})


@dataclass(frozen=True)
class SessionToken:
    """A token the organisation issued."""

    value: str = field(repr=False)
    identity: Identity
    expires_at: float


class Feed:
    """A feed; `project` is None for a feed of the whole organisation."""

    def __init__(self, name: str, project: str | None, organisation: str, wheels: Iterable[Wheel]) -> None:
        self.name = name
        self.project = project
        self.wheels = list(wheels)
        self.public = False
        self.guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"feed:{organisation}/{project}/{name}"))
        self.project_guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"project:{organisation}/{project}"))

    @property
    def guid_path(self) -> str:
        """The feed's path below its organisation as file links spell it."""
        return f"{self.project_guid}/_packaging/{self.guid}" if self.project else f"_packaging/{self.guid}"

    def answers_to(self, project: str | None, name: str) -> bool:
        """Whether this path, names or GUIDs, view or not, means this feed."""
        projects = {self.project.lower(), self.project_guid} if self.project else {""}
        named = name.partition("@")[0].lower() in {self.name.lower(), self.guid}
        return named and (project or "").lower() in projects


class Organisation:
    """An organisation of the fake cloud. Every attribute may be changed while the cloud runs."""

    def __init__(
        self, name: str, tenant: str, feeds: Mapping[str, Iterable[Wheel]], clock: Clock = time.time
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.feeds = [_feed(path, name, wheels) for path, wheels in feeds.items()]
        self.clock = clock
        # who: None means everyone of the tenant
        self.readers: set[str] | None = None
        self.contributors: set[str] | None = None
        # the challenge: None means the documented one
        self.challenge: Headers | None = None
        # the claims that it wants of Entra tokens, beside being issued by Entra: None for nothing
        self.claims: str | None = None
        # the session tokens
        self.lifetime_s = DEFAULT_LIFETIME_S
        self.longest_lifetime_s = LONGEST_LIFETIME_S
        self.refuses_valid_to = False
        self.tells_valid_to = True
        self.tells_exp = True
        # where files come from: with blobs, a redirect to signed URLs on a storage host
        self.blobs = False
        # what goes wrong: before the challenge, before an authorised answer, before the exchange
        self.challenge_faults = Faults()
        self.feed_faults = Faults()
        self.exchange_faults = Faults()
        self.visits: Journal[Visit] = Journal()
        self.exchanges: Journal[Exchange] = Journal()
        self.issued: Journal[SessionToken] = Journal()
        self._revoked: set[str] = set()

    def feed(self, name: str) -> Feed:
        """The feed with this name."""
        return next(feed for feed in self.feeds if feed.name == name)

    def issue(
        self, user: str, scopes: Iterable[str] = (READ,), lifetime_s: float | None = None
    ) -> SessionToken:
        """A new token of this organisation, as a session token or personal access token has it."""
        lifetime_s = self.lifetime_s if lifetime_s is None else lifetime_s
        now = self.clock()
        identity = Identity(user, frozenset(scopes))
        claims: tokens.Claims = {
            "iss": "app.vstoken.visualstudio.com",
            "nameid": str(uuid.uuid5(uuid.NAMESPACE_URL, user)),
            "scp": " ".join(sorted(identity.scopes)),
            "aui": tokens.unlike(),
            "nbf": int(now),
        }
        if self.tells_exp:
            claims["exp"] = int(now + lifetime_s)
        token = SessionToken(tokens.sign(claims), identity, now + lifetime_s)
        self.issued.add(token)
        return token

    def revoke_all(self) -> None:
        """Refuse every token issued so far, and every Entra token seen so far."""
        self._revoked |= {token.value for token in self.issued}
        self._revoked |= {visit.password for visit in self.visits if visit.password is not None}

    def want_claims(self, claims: str) -> None:
        """Take no token from now on but those that were asked for with these claims."""
        self.revoke_all()
        self.claims = claims

    def claims_challenge(self) -> Headers:
        """What a refused caller is told beside the documented challenge (Microsoft, "Claims challenges")."""
        if self.claims is None:
            return ()
        encoded = base64.urlsafe_b64encode(self.claims.encode()).rstrip(b"=").decode()
        words = f'Bearer realm="", error="insufficient_claims", claims="{encoded}"'
        return (("WWW-Authenticate", words),)

    def identify(self, password: str) -> Identity | None:
        """Who a Basic password or bearer token speaks for at this moment; None when it is refused."""
        if password in self._revoked:
            return None
        for token in self.issued:
            if token.value == password:
                return token.identity if self.clock() < token.expires_at else None
        return self.identify_entra(password)

    def identify_entra(self, token: str) -> Identity | None:
        """The same for Entra tokens alone, which is what the exchange takes."""
        claims = tokens.read_claims(token)
        if claims is None or claims.get("aud") != tokens.AZURE_DEVOPS:
            return None
        if self.tenant not in {NO_TENANT, claims.get("tid")}:
            return None
        if self.claims is not None and json.loads(str(claims.get("asked", "0"))) != json.loads(self.claims):
            return None
        expires_at = claims.get("exp")
        if not isinstance(expires_at, int) or self.clock() >= expires_at:
            return None
        return Identity(str(claims.get("upn") or claims.get("appid")), frozenset({EVERYTHING}))


def _feed(path: str, organisation: str, wheels: Iterable[Wheel]) -> Feed:
    project, _, name = path.rpartition("/")
    return Feed(name, project or None, organisation, wheels)
