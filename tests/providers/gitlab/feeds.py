"""A GitLab behind the proxy, gitlab.com's and one of a company's own, and feeds of it."""

from broker.core.feeds import Feed
from broker.core.urls import Url, parse_url
from broker.providers.protocol import Provider
from broker.providers.recognise import realm_of

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
    settings = provider.settings.model_validate(keys)
    return Feed(
        name="corp",
        realm=realm_of(url, provider.name),
        prefixes=(url,),
        identity=provider.identity(settings),
        kind=provider.kind(settings),
        username=provider.username(settings),
        settings=settings,
    )
