from typing import Any

import pytest

from broker.config.load import load
from broker.config.model import Layer
from broker.core.credential import Secret
from broker.core.feeds import READ, Ambiguous, FeedTable, Match, NoMatch
from broker.core.urls import parse_service
from broker.daemon.by_name import ByName
from broker.daemon.feed_table_builder import schema_of, table_of
from broker.providers.gitlab import GitLabProvider, GitLabSettings
from broker.providers.protocol import Provider
from tests.fakes.gitlab import GitLab
from tests.fakes.http1 import json_response
from tests.providers.gitlab.feeds import JOB, OWN, TOKEN, feed_with
from tests.providers.programs import Workshop


def table(provider: Provider, text: str = "") -> FeedTable:
    config = load([Layer(text, "config.toml")], schema_of([GitLabProvider]))
    return table_of(config, ByName({"gitlab": provider}, {}))


def feed_text(url: str, variable: str = "GITLAB_TOKEN") -> str:
    return f'[[feed]]\nurl = "{url}"\nprovider = "gitlab"\nsecret = "env:{variable}"\n'


LINK = "projects/42/packages/pypi/files/0a/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize("api", ["https://gitlab.com/api/v4", "https://git.example.com:8443/git/api/v4"])
async def test_links_under_the_projects_number_belong_to_the_one_sign_in(
    api: str, provider: Provider
) -> None:
    feeds = table(provider, feed_text(f"{api}/groups/acme/-/packages/pypi/simple/"))

    found: Any = feeds.match(parse_service(f"{api}/{LINK}"))

    assert isinstance(found, Match)
    assert found.feed.configured


async def test_a_path_of_its_own_decides_between_two_tokens(provider: Provider) -> None:
    api = "https://git.example.com/api/v4"
    text = feed_text(f"{api}/groups/7/-/packages/pypi/simple/") + feed_text(
        f"{api}/projects/42/packages/pypi/simple/", "OTHER"
    )
    feeds = table(provider, text)

    found: Any = feeds.match(parse_service(f"{api}/{LINK}"))

    assert found.feed.settings == GitLabSettings.model_validate({"secret": "env:OTHER"})
    assert isinstance(feeds.match(parse_service(f"{api}/{LINK.replace('42', '43')}")), Ambiguous)


@pytest.mark.parametrize(("number", "more"), [(42, 0), (1149, 150)], ids=["first page", "second page"])
async def test_a_groups_projects_belong_to_its_token_where_there_are_several(
    number: int, more: int, provider: Provider, gitlab: GitLab
) -> None:
    gitlab.more_projects = more
    api = "https://gitlab.com/api/v4"
    feeds = table(
        provider,
        feed_text(f"{api}/groups/other/-/packages/pypi/simple/", "OTHER")
        + feed_text(f"{api}/groups/acme/-/packages/pypi/simple/"),
    )
    before = feeds.match(parse_service(f"{api}/{LINK.replace('42', str(number))}"))

    await provider.obtain(feeds.feeds[1], READ)
    found: Any = feeds.match(parse_service(f"{api}/{LINK.replace('42', str(number))}"))

    assert isinstance(before, Ambiguous)
    assert found.feed is feeds.feeds[1]


@pytest.mark.parametrize(("configured", "asked"), [("acme", "1234567"), ("1234567", "acme")])
async def test_a_groups_other_spelling_belongs_to_its_token_where_there_are_several(
    configured: str, asked: str, provider: Provider
) -> None:
    api = "https://gitlab.com/api/v4"
    feeds = table(
        provider,
        feed_text(f"{api}/groups/other/-/packages/pypi/simple/", "OTHER")
        + feed_text(f"{api}/groups/{configured}/-/packages/pypi/simple/"),
    )
    service = parse_service(f"{api}/groups/{asked}/-/packages/pypi/simple/demo/")
    before = feeds.match(service)

    await provider.obtain(feeds.feeds[1], READ)
    found: Any = feeds.match(service)

    assert isinstance(before, Ambiguous)
    assert found.feed is feeds.feeds[1]


async def test_a_group_that_cannot_be_listed_keeps_its_token(provider: Provider, gitlab: GitLab) -> None:
    gitlab.api_faults.give(json_response(200, {"active": True, "name": "laptop"}))

    credential = await provider.obtain(feed_with(provider, secret="env:GITLAB_TOKEN"), READ)

    assert credential.secret == Secret(TOKEN)


async def test_a_jobs_server_needs_no_configuration(provider: Provider, workshop: Workshop) -> None:
    workshop.environ |= JOB

    found: Any = table(provider).match(parse_service(str(OWN)))

    assert isinstance(found, Match)
    assert (found.feed.configured, found.feed.username) == (False, "gitlab-ci-token")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/relative/acme/corp",
        "https://git.example.com/api/v4/groups/7/-/packages/pypi/simple/",
        "https://git.example.com/relative/api/v4/groups/7/-/packages/npm/",
        "git.example.com",
    ],
)
async def test_the_rest_of_a_jobs_server_is_nobodys(url: str, provider: Provider, workshop: Workshop) -> None:
    workshop.environ |= JOB

    assert isinstance(table(provider).match(parse_service(url)), NoMatch)
