"""The keys that every file may have, as pydantic reads them; the reference page is made from them.

What a provider adds to a feed's keys is in the provider's own model.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from broker.core.duration import positive_duration
from broker.core.feeds import FEED_NAME

TTL_MIN_S = 1.0
"""A shorter life than this would be spent renewing."""


def never_or_duration(value: object) -> float | None:
    """Seconds, or None for "never". Raises ValueError."""
    return None if value == "never" else positive_duration(value)


def _variables(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise ValueError("no program can have a variable without a name, with = in it, or with a NUL")
    return variables


def _feed_name(name: str) -> str:
    if FEED_NAME.fullmatch(name) is None:
        raise ValueError(
            "write letters, digits, `.`, `_` and `-`, a letter or digit first, 64 in all at most"
        )
    return name


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _Allow(_Model):
    users: list[str] = []
    groups: list[str] = []


class FeedKeys(_Model):
    """The shared keys of one [[feed]]; a provider's own keys are taken out before."""

    url: str
    name: Annotated[str, AfterValidator(_feed_name)]
    also: list[str] = []
    provider: str
    verify: bool = True
    allow: _Allow | None = None


class FileKeys(_Model):
    """The keys at the top of a file."""

    ttl: Annotated[float, BeforeValidator(positive_duration), Field(ge=TTL_MIN_S)] = 3000.0
    auto: bool | list[str] = True
    idle: Annotated[float | None, BeforeValidator(never_or_duration)] = None
    ca: str = "system"
    log: Literal["debug", "info", "warning", "error"] = "info"
    env: Annotated[dict[str, str], AfterValidator(_variables)] = {}
    feed: list[dict[str, Any]] = []
