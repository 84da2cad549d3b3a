"""A GitLab behind the proxy, gitlab.com's and one of a company's own, and feeds of it."""

from broker.core.feeds import Feed
from broker.core.urls import Url, parse_url
from broker.providers.protocol import Provider
from tests.providers.online import feed_of

URL = parse_url("https://gitlab.com/api/v4/groups/acme/-/packages/pypi/simple/")
OWN = parse_url("https://git.example.com/relative/api/v4/groups/7/-/packages/pypi/simple/")
TOKEN = "glpat-s3cret-of-a-person"
JOB = {
    "GITLAB_CI": "true",
    "CI_API_V4_URL": "https://git.example.com/relative/api/v4",
    "CI_JOB_TOKEN": "glcbt-s3cret-of-the-job",
}


def feed_with(provider: Provider, /, url: Url = URL, **keys: object) -> Feed:
    """A feed at `url` whose table has these keys."""
    return feed_of(provider, url, keys)
