"""AWS behind the proxy, and a provider on a machine where nobody is signed in."""

from collections.abc import Iterator

import pytest

from broker.providers.codeartifact.provider import CodeArtifactProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.authority import Authority
from tests.fakes.aws import Aws, Home
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.fixtures import authority
from tests.providers.codeartifact.feeds import Machine
from tests.providers.programs import Workshop

__all__ = ["authority"]


@pytest.fixture
def machine(authority: Authority, workshop: Workshop) -> Iterator[Machine]:
    """A machine with an empty `~/.aws`, whose children reach AWS through the proxy and nothing else."""
    with ConnectProxy(authority) as proxy:
        aws = Aws()
        aws.attach(proxy)
        workshop.environ.update(proxy.environment(workshop.environ))
        yield Machine(workshop, Home(workshop.home), aws, proxy)


@pytest.fixture
def provider(tools: ProviderContext, workshop: Workshop) -> Provider:
    """A provider on a machine that is not AWS's and has no AWS CLI, whatever this one is."""
    workshop.environ |= {"PATH": str(workshop.folder), "AWS_EC2_METADATA_DISABLED": "true"}
    return CodeArtifactProvider(tools)
