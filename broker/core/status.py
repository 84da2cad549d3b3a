"""What status may show: frozen records without any secret, and their JSON form (CONTRACT section 6)."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed as a person sees it. Times are UTC, durations whole seconds; None where nothing is known."""

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


@dataclass(frozen=True, slots=True)
class Lookup:
    """One look-up as it is remembered: who asked, for what, how it went. No secret, no userinfo."""

    at: datetime
    pid: int | None
    url: str
    feed: str | None
    outcome: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The whole broker as a person sees it."""

    version: str
    pid: int
    socket: str
    config: str | None
    started_at: datetime
    uptime_s: int
    lookups: dict[str, int]
    recent: tuple[Lookup, ...]
    feeds: tuple[FeedStatus, ...]


Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def to_json(status: BrokerStatus | FeedStatus | Lookup) -> dict[str, Json]:
    """The record as JSON values: times in RFC 3339 with `Z`, keys in the order of the contract."""
    plain: dict[str, object] = asdict(status)
    return {key: _value(value) for key, value in plain.items()}


def rfc3339(moment: datetime) -> str:
    """A UTC time as the contract writes it, to the second: `2026-11-21T09:41:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _value(value: object) -> Json:
    match value:
        case datetime():
            return rfc3339(value)
        case dict():
            return {str(key): _value(item) for key, item in value.items()}
        case tuple() | list():
            return [_value(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"status cannot show a {type(value).__name__}")
