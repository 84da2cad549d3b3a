"""CodeArtifact feeds as tests configure them, and the machine that asks for their tokens."""

from dataclasses import dataclass

from broker.core.feeds import Feed
from broker.core.urls import Url, parse_url
from broker.providers.protocol import Provider
from tests.fakes.aws import Aws, Home
from tests.fakes.connect_proxy import ConnectProxy
from tests.providers.online import feed_of
from tests.providers.programs import Workshop

URL = parse_url("https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/")
CHINESE = parse_url("https://team-123456789012.d.codeartifact.cn-north-1.amazonaws.com.cn/pypi/corp/simple/")
PRIVATE = parse_url("https://vpce-1.d.codeartifact.eu-west-1.vpce.amazonaws.com/pypi/corp/simple/")


@dataclass(frozen=True)
class Machine:
    """A machine of the test's own, and the AWS that it reaches through the proxy."""

    workshop: Workshop
    home: Home
    aws: Aws
    proxy: ConnectProxy


def feed_with(provider: Provider, /, url: Url = URL, **keys: object) -> Feed:
    """A feed at `url` whose table has these keys."""
    return feed_of(provider, url, keys)
