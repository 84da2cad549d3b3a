"""Azure feeds as tests configure them, and what may lie in their provider's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.core.feeds import Feed
from broker.core.urls import parse_url
from broker.providers.azure.settings import AzureSettings
from broker.providers.recognise.services import realm_of

if TYPE_CHECKING:
    from broker.providers.protocol import ProviderContext

FEED = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
PERSON = "dev@acme.example"
LOGIN = f"az login --tenant {TENANT}"


def feed_with(url: str = FEED, **keys: object) -> Feed:
    """A feed at `url` whose table has these keys."""
    settings = AzureSettings.model_validate(keys)
    return Feed("corp", realm_of(parse_url(url), "azure"), (parse_url(url),), settings=settings)


def at(organisation: str) -> str:
    """The address of the feed in another organisation."""
    return FEED.replace("/acme/", f"/{organisation}/")


def leave(tools: ProviderContext, **variables: str) -> None:
    """Put variables into the environment that a provider was made with."""
    environ: Any = tools.environ
    environ.update(variables)
