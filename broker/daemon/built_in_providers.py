"""The providers that come with the broker: each is loaded when a feed needs it, all soon after a start.

Together they would take a fifth of the start.
"""

import contextlib
import logging
from importlib import import_module
from typing import cast

from broker.core.defect import name_of
from broker.host.aside import in_thread
from broker.host.clock import Clock
from broker.providers.protocol import Provider, ProviderClass, ProviderContext, Settings

log = logging.getLogger("broker.service")

LOAD_AFTER_S = 1.0
"""Not before who started the broker has had the first answer."""


class BuiltInProvider:
    """A ProviderClass whose name is known before it is loaded. `place` is MODULE:CLASS in `broker.providers`.

    `recognises`: it satisfies `Recognising`, and has to be made for every configuration.
    """

    def __init__(self, name: str, place: str, *, recognises: bool = False) -> None:
        self.name = name
        self.recognises = recognises
        self._place = place

    @property
    def provider_class(self) -> ProviderClass:
        """The class itself."""
        module, _, name = self._place.partition(":")
        return cast("ProviderClass", getattr(import_module(f"broker.providers.{module}"), name))

    @property
    def settings(self) -> type[Settings]:
        """The model of its own keys."""
        return self.provider_class.settings

    def __call__(self, context: ProviderContext, /) -> Provider:
        """The provider, made anew for each configuration."""
        return self.provider_class(context)


PROVIDERS = (
    BuiltInProvider("azure", "azure.provider:AzureProvider"),
    BuiltInProvider("google", "google.provider:GoogleProvider"),
    BuiltInProvider("codeartifact", "codeartifact.provider:CodeArtifactProvider"),
    BuiltInProvider("gitlab", "gitlab:GitLabProvider", recognises=True),
    BuiltInProvider("artifactory", "artifactory:ArtifactoryProvider"),
    BuiltInProvider("cloudsmith", "cloudsmith:CloudsmithProvider"),
    BuiltInProvider("nexus", "nexus:NexusProvider"),
    BuiltInProvider("oauth2", "oauth2:OAuth2Provider"),
    BuiltInProvider("basic", "basic:BasicProvider"),
    BuiltInProvider("command", "command:CommandProvider"),
)
"""Every built-in provider; a new one is a file and a line here. `daemon/plugins.py` finds other ones."""


async def load_all_soon(clock: Clock) -> None:
    """Load what is not loaded yet, in a thread: a look-up that had to import one would hold up all others."""
    await clock.nap(LOAD_AFTER_S)
    with contextlib.suppress(RuntimeError):  # no thread can be started: each is loaded when it is needed
        await in_thread(_load_all)


def _load_all() -> None:
    for each in PROVIDERS:
        try:
            _ = each.provider_class
        except Exception as defect:  # noqa: BLE001 - the feed that needs it says so
            log.warning("provider_not_loaded provider=%s: %s", each.name, name_of(defect))
