"""The daemon's status object as the records of `core.status`: parsed here once, trusted from here on.

Daemon and tool may be one minor version apart, so unknown keys are ignored and missing ones have a default.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.core.status import BrokerStatus, FeedStatus, LookupRecord, ShareStatus
from broker.core.verdict import Verdict
from broker.ctl.status.short_line import not_understood

_EPOCH = datetime.fromtimestamp(0, UTC)


def broker_status(found: Mapping[str, Any]) -> BrokerStatus:
    """The record of GET /v1/status; raises CommandError when it is not one at all."""
    try:
        return BrokerStatus(
            version=str(found["version"]),
            pid=int(found["pid"]),
            socket=str(found.get("socket", "")),
            config=found.get("config"),
            started_at=_time(found.get("started_at")) or _EPOCH,
            uptime_s=int(found.get("uptime_s", 0)),
            lookups=dict(found.get("lookups", {})),
            recent=tuple(lookup_record(lookup) for lookup in found.get("recent", ())),
            feeds=tuple(feed_status(feed) for feed in found["feeds"]),
            error=found.get("error"),
            hint=found.get("hint"),
            shares=tuple(share_status(share) for share in found.get("shares", ())),
            auto=auto if isinstance(auto := found.get("auto", True), bool) else tuple(map(str, auto)),
            ca=found.get("ca"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise not_understood() from None


def feed_status(found: Mapping[str, Any]) -> FeedStatus:
    """One feed's record. Raises KeyError, TypeError or ValueError for what is none."""
    return FeedStatus(
        name=str(found["name"]),
        provider=str(found.get("provider", "")),
        realm=str(found.get("realm", "")),
        urls=tuple(found.get("urls", ())),
        configured=bool(found.get("configured", True)),
        usable=bool(found["usable"]),
        state=str(found["state"]),
        since=_time(found.get("since")) or _EPOCH,
        source=found.get("source"),
        account=found.get("account"),
        tenant=found.get("tenant"),
        scope=str(found.get("scope", "read")),
        username=found.get("username"),
        obtained_at=_time(found.get("obtained_at")),
        expires_at=_time(found.get("expires_at")),
        refresh_at=_time(found.get("refresh_at")),
        ttl_s=int(found.get("ttl_s", 0)),
        left_s=found.get("left_s"),
        lookups=int(found.get("lookups", 0)),
        fetches=int(found.get("fetches", 0)),
        last_used_at=_time(found.get("last_used_at")),
        error=found.get("error"),
        hint=found.get("hint"),
        shares=found.get("shares"),
        warning=found.get("warning"),
        end_unknown=found.get("end_unknown", False),
        required_username=found.get("required_username"),
        unverified=found.get("unverified"),
        verified_at=_time(found.get("verified_at")),
        verdict=str(found.get("verdict", Verdict.UNKNOWN.word)),
    )


def lookup_record(found: Mapping[str, Any]) -> LookupRecord:
    """One look-up's record. Raises KeyError, TypeError or ValueError for what is none."""
    return LookupRecord(
        at=_time(found["at"]) or _EPOCH,
        uid=int(found.get("uid", 0)),
        pid=int(found.get("pid", 0)),
        url=str(found["url"]),
        feed=found.get("feed"),
        outcome=str(found["outcome"]),
        hint=found.get("hint"),
        verdict=found.get("verdict"),
        error=found.get("error"),
    )


def share_status(found: Mapping[str, Any]) -> ShareStatus:
    """One share's record. Raises KeyError, TypeError or ValueError for what is none."""
    return ShareStatus(
        name=str(found["name"]),
        feeds=tuple(found["feeds"]),
        folder=str(found["folder"]),
        socket=str(found.get("socket", "")),
        state=str(found["state"]),
        ends_at=_time(found["ends_at"]) or _EPOCH,
        left_s=int(found["left_s"]),
        renewal=str(found.get("renewal", "")),
    )


def _time(text: object) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
