"""The providers that come with the broker."""

from broker.providers.artifactory import ArtifactoryProvider
from broker.providers.azure.provider import AzureProvider
from broker.providers.basic import BasicProvider
from broker.providers.cloudsmith import CloudsmithProvider
from broker.providers.codeartifact.provider import CodeArtifactProvider
from broker.providers.command import CommandProvider
from broker.providers.gitlab import GitLabProvider
from broker.providers.google.provider import GoogleProvider
from broker.providers.nexus import NexusProvider
from broker.providers.oauth2 import OAuth2Provider
from broker.providers.protocol import ProviderClass

PROVIDERS: tuple[ProviderClass, ...] = (
    AzureProvider,
    GoogleProvider,
    CodeArtifactProvider,
    GitLabProvider,
    ArtifactoryProvider,
    CloudsmithProvider,
    NexusProvider,
    OAuth2Provider,
    BasicProvider,
    CommandProvider,
)
"""Every built-in provider; a new one is a file and its name here. `daemon/plugins.py` finds other ones."""
