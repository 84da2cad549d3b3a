"""Status objects as a daemon would send them: one feed of each kind that a person may meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)


def broker(*feeds: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "pid": 4242,
        "socket": "/run/user/1000/token-broker/broker.sock",
        "config": None,
        "started_at": at(-11520),
        "uptime_s": 11520,
        "lookups": {"hit": 812, "wait": 3, "miss": 20, "error": 0},
        "recent": [],
        "feeds": list(feeds),
        "error": None,
        "auto": True,
        "ca": None,
        **changes,
    }


def feed(name: str, **changes: object) -> dict[str, Any]:
    """A healthy Azure feed with 41 of its 60 minutes left, but for `changes`."""
    return {
        "name": name,
        "provider": "azure",
        "realm": "azure:acme",
        "urls": [f"https://pkgs.dev.azure.com/acme/_packaging/{name}/pypi/simple/"],
        "configured": True,
        "usable": True,
        "state": "fresh",
        "since": at(-1140),
        "source": "azure-cli",
        "account": "dev@acme.com",
        "tenant": "11111111-1111-1111-1111-111111111111",
        "scope": "read",
        "username": "VssSessionToken",
        "obtained_at": at(-1140),
        "expires_at": at(2460),
        "refresh_at": at(1860),
        "ttl_s": 3000,
        "left_s": 2460,
        "lookups": 812,
        "fetches": 4,
        "last_used_at": at(-12),
        "error": None,
        "hint": None,
        "shares": None,
        "warning": None,
        **changes,
    }


def empty_handed(name: str, state: str, **changes: object) -> dict[str, Any]:
    """A feed that holds nothing."""
    nothing = (
        "source",
        "account",
        "tenant",
        "obtained_at",
        "expires_at",
        "refresh_at",
        "left_s",
        "last_used_at",
    )
    return feed(name, **{**dict.fromkeys(nothing), "usable": False, "state": state, "lookups": 0, **changes})


def house() -> dict[str, Any]:
    """Five feeds: healthy, sharing, half used, without expiry, and one that needs a person."""
    return broker(
        feed("corp"),
        feed("tools", shares="corp", lookups=40, last_used_at=at(-150)),
        feed(
            "models",
            provider="google",
            realm="google:pkg.dev",
            source="gcloud",
            account=None,
            obtained_at=at(-2580),
            expires_at=at(1020),
            left_s=1020,
            lookups=6,
            last_used_at=at(-3700),
        ),
        feed(
            "internal",
            provider="basic",
            realm="basic:https://artifactory.example.com",
            source="netrc",
            account=None,
            expires_at=None,
            left_s=None,
            lookups=0,
            last_used_at=None,
        ),
        empty_handed(
            "labs",
            "sign-in-needed",
            realm="azure:labs",
            since=at(-1860),
            lookups=3,
            last_used_at=at(-1500),
            error="the sign-in at login.microsoftonline.com has expired (AADSTS70043)",
            hint="az login --tenant 22222222-2222-2222-2222-222222222222",
        ),
    )


def at(seconds: int) -> str:
    """NOW and `seconds`, as the daemon writes times."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
