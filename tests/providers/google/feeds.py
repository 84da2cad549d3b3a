"""Google feeds as tests configure them, and what gcloud answers about its account."""

from dataclasses import dataclass

from broker.core.feeds import Feed
from broker.core.urls import Url, parse_url
from broker.providers.protocol import Provider
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.google import USER, Files, Google
from tests.providers.online import feed_of
from tests.providers.programs import Workshop

URL = parse_url("https://europe-west1-python.pkg.dev/acme-project/corp/simple/")
ELSEWHERE = parse_url("https://us-python.pkg.dev/other/tools/simple/")
HELPER = {
    "configuration": {"active_configuration": "default", "properties": {"core": {"account": USER}}},
    "credential": {"access_token": "ya29.s3cret-of-gcloud", "token_expiry": "2026-11-21T10:00:00Z"},
}


@dataclass(frozen=True)
class Machine:
    """A machine of the test's own, and the Google that it reaches through the proxy."""

    workshop: Workshop
    files: Files
    google: Google
    proxy: ConnectProxy


def feed_with(provider: Provider, /, url: Url = URL, **keys: object) -> Feed:
    """A feed at `url` whose table has these keys."""
    return feed_of(provider, url, keys)
