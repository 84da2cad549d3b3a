"""What is configured, a frozen Config and its feeds, and what that is made from.

Touches no file and loads no library. `config/load.py` makes a Config.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from broker.core.feeds import Allow
    from broker.core.urls import Url

Role = Literal["site", "env", "user"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One file's text; later layers win over earlier ones. Unknown keys in the site's file only warn."""

    text: str
    path: str
    role: Role = "user"


@dataclass(frozen=True, slots=True)
class Schema:
    """What the providers know: their settings models by name, and what a URL says of itself.

    An empty `settings` leaves the providers' own keys unchecked: brokerctl has no SDKs to ask.
    """

    settings: Mapping[str, type[BaseModel]]
    provider_of: Callable[[Url], str | None]
    default_name: Callable[[Url], str]

    def without(self, provider: str) -> str:
        """What is said where a provider is named that is not there."""
        return f"there is no provider {provider}: write one of {', '.join(sorted(self.settings))}"


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """One [[feed]]: what all feeds share, and the provider's own settings.

    `own_keys` are the provider's as they are written, merged; `settings` what its model makes of them, or
    None where the Schema has no models.
    """

    name: str
    url: Url
    also: tuple[Url, ...]
    provider: str
    settings: BaseModel | None
    verify: bool
    allow: Allow | None
    place: str
    own_keys: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that was configured, or the defaults. Durations in seconds; `idle_s` None: never."""

    ttl_s: float = 3000.0
    auto: bool | frozenset[str] = True
    idle_s: float | None = None
    ca: Path | None = None
    log: str = "info"
    env: Mapping[str, str] = field(default_factory=dict)
    feeds: tuple[FeedConfig, ...] = ()
    warnings: tuple[str, ...] = ()

    def learns(self, provider: str) -> bool:
        """Whether `auto` lets the daemon learn feeds of this provider from questions about them."""
        return self.auto if isinstance(self.auto, bool) else provider in self.auto
