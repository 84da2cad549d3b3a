"""The providers that come with the broker, each loaded when a feed first needs it.

Together they take a fifth of the daemon's start, and most users have feeds of one kind.
"""

from importlib import import_module
from typing import cast

from broker.providers.protocol import Provider, ProviderClass, ProviderContext, Settings


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
