"""What status may show: frozen records without any secret, and their JSON form (CONTRACT section 6)."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import NamedTuple

from broker.core import need
from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.refresh import Slot, State
from broker.core.verdict import Verdict, Verification, is_rejected, refusal_of, usable_credential

ENDS_SOON_S = 14 * 86400.0
"""Two weeks: a holiday is shorter, and GitLab's own mail comes a week before."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed as a person sees it. Times are UTC, durations whole seconds; None where nothing is known.

    `shares` names the first feed that has the same credential, `left_s` counts to the token's own end.
    `warning` says what will be wrong one day, and what a person does before. `verdict` is what the feed
    itself last said to this token (accepted, rejected, unknown), at `verified_at`; `unverified` says why the
    feed could not be asked when that was last tried. `end_unknown`: the token ends at a time that the tool it
    came from did not say. `required_username` is the only one that it answers; None: it answers any.
    """

    name: str
    provider: str
    realm: str
    urls: tuple[str, ...]
    configured: bool
    usable: bool
    state: str
    since: datetime
    source: str | None
    account: str | None
    tenant: str | None
    scope: str
    username: str | None
    obtained_at: datetime | None
    expires_at: datetime | None
    refresh_at: datetime | None
    ttl_s: int
    left_s: int | None
    lookups: int
    fetches: int
    last_used_at: datetime | None
    error: str | None
    hint: str | None
    shares: str | None
    warning: str | None = None
    verified_at: datetime | None = None
    verdict: str = Verdict.UNKNOWN.word
    end_unknown: bool = False
    required_username: str | None = None
    unverified: str | None = None

    @property
    def needs_help(self) -> bool:
        """As `core.need` says it."""
        return need.needs_help(self.state, usable=self.usable)

    def aged(self, seconds: int) -> "FeedStatus":
        """What the status will say these seconds later if nothing else changes."""
        if self.left_s is None:
            return self
        left_s = max(0, self.left_s - seconds)
        return replace(self, left_s=left_s, usable=self.usable and left_s > 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is counted of one feed: since when its state is what it is, questions, fetches, last question."""

    since: datetime
    lookups: int = 0
    fetches: int = 0
    last_used_at: datetime | None = None


class LookupRecord(NamedTuple):
    """One look-up as it is remembered: who asked, for what, how it went. No secret, no userinfo.

    Each look-up makes one: a tuple, for a frozen dataclass takes three times as long to make (measured).
    `verdict` is what the feed said when the token was next tried; None while nothing was said. `error` says
    why there was no answer.
    """

    at: datetime
    uid: int
    pid: int
    url: str
    feed: str | None
    outcome: str
    hint: str | None
    verdict: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ShareStatus:
    """A second socket: for which feeds, where, and for how long. `state` is `open` or `ended`.

    `folder` is what a container mounts, `renewal` the command that renews the share.
    """

    name: str
    feeds: tuple[str, ...]
    folder: str
    socket: str
    state: str
    ends_at: datetime
    left_s: int
    renewal: str


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The whole broker as a person sees it; `error` says why the configuration on disk is not in
    force, `hint` what to type. `auto` and `ca` are the configuration's in force: all or no providers, or
    these; a file, or None for the system's authorities.
    """

    version: str
    pid: int
    socket: str
    config: str | None
    started_at: datetime
    uptime_s: int
    lookups: dict[str, int]
    recent: tuple[LookupRecord, ...]
    feeds: tuple[FeedStatus, ...]
    error: str | None = None
    shares: tuple[ShareStatus, ...] = ()
    hint: str | None = None
    auto: bool | tuple[str, ...] = True
    ca: str | None = None


ADDING = "brokerctl add "
"""How the line begins that makes an address a feed."""


def addresses_to_add(status: BrokerStatus) -> dict[str, LookupRecord]:
    """The last look-up of each address that could be a feed and is none, by address."""
    known = [url.rstrip("/") for feed in status.feeds for url in feed.urls]
    return {
        lookup.url: lookup
        for lookup in reversed(status.recent)
        if (lookup.hint or "").startswith(ADDING)
        and not any(f"{lookup.url}/".startswith(f"{url}/") for url in known)
    }


def feed_status(
    feed: Feed,
    slot: Slot,
    verification: Verification | None,
    usage: Usage,
    *,
    ttl_s: float,
    shares: str | None,
    now: Moment,
) -> FeedStatus:
    """The feed's status now; `verification` is how the feed took the credential when it was last tried."""
    refusal, left_s = refusal_of(verification), slot.left_s(now)
    failure = slot.last_failure.failure if slot.last_failure is not None else refusal
    held = slot.held
    credential = held.credential if held is not None else None
    state = slot.state(now)
    if slot.last_failure is None and refusal is not None:
        state = State.REFUSED
    elif state is State.FRESH and is_rejected(verification, credential):
        state = State.DUE
    of_this = verification is not None and verification.held.credential == credential
    told = verification if of_this else None
    return FeedStatus(
        name=feed.name,
        provider=feed.realm.provider,
        realm=str(feed.realm),
        urls=tuple(str(url) for url in feed.prefixes),
        configured=feed.configured,
        usable=usable_credential(slot, verification, now) is not None,
        state=state.value,
        since=usage.since,
        source=credential.source if credential is not None else None,
        account=credential.account if credential is not None else None,
        tenant=credential.tenant if credential is not None else None,
        scope=feed.scope,
        username=credential.shown_username if credential is not None else feed.username,
        obtained_at=held.obtained.wall if held is not None else None,
        expires_at=credential.expires_at if credential is not None else None,
        refresh_at=held.due.wall if held is not None else None,
        ttl_s=round(ttl_s),
        left_s=None if left_s is None else int(left_s),
        lookups=usage.lookups,
        fetches=usage.fetches,
        last_used_at=usage.last_used_at,
        error=failure.detail if failure is not None else None,
        hint=failure.hint if failure is not None else None,
        shares=shares,
        warning=_warning(credential, now),
        verified_at=told.said.wall if told is not None and told.said is not None else None,
        verdict=(Verdict.UNKNOWN if told is None else told.verdict).word,
        end_unknown=credential is not None and credential.is_end_unknown,
        required_username=required_username(feed, credential),
        unverified=None if told is None or told.answer.unasked is None else told.answer.words,
    )


def required_username(feed: Feed, credential: Credential | None) -> str | None:
    """The only user name that the feed answers: its own, or that of its secret; None where any will do."""
    if feed.username is not None or credential is None or not credential.is_personal:
        return feed.username
    return credential.shown_username


def _warning(credential: Credential | None, now: Moment) -> str | None:
    """What is said of a secret that only a person can replace, when its end is near."""
    if credential is None or credential.manual_renewal is None or credential.expires_at is None:
        return None
    if (credential.expires_at - now.wall).total_seconds() > ENDS_SOON_S:
        return None
    ends = f"{credential.expires_at:%Y-%m-%d}"
    return f"the secret from {credential.source} ends on {ends}: {credential.manual_renewal}"


Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Record = BrokerStatus | FeedStatus | ShareStatus | LookupRecord


def to_json(status: Record) -> dict[str, Json]:
    """The record as JSON values: times in RFC 3339 with `Z`, keys in the order of the contract."""
    if isinstance(status, LookupRecord):
        return {name: _value(value) for name, value in zip(status._fields, status, strict=True)}
    return {field.name: _value(getattr(status, field.name)) for field in fields(status)}


def rfc3339(moment: datetime) -> str:
    """A UTC time as the contract writes it, to the second: `2026-11-21T09:41:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _value(value: object) -> Json:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case datetime():
            return rfc3339(value)
        case BrokerStatus() | FeedStatus() | ShareStatus() | LookupRecord():
            return to_json(value)
        case dict():
            return {str(key): _value(item) for key, item in value.items()}
        case tuple() | list():
            return [_value(item) for item in value]
    raise TypeError(f"status cannot show a {type(value).__name__}")
