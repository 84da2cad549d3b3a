"""The real uv and pip install from every kind of feed through shim, socket and broker: real host names, real
TLS, the real SDKs, and services on loopback.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e import field as places
from tests.e2e.household import feed
from tests.fakes.gitlab import GitLab, Token
from tests.sampling import sampled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.household import Household
    from tests.e2e.town import Town
    from tests.fakes.clients import Outcome

pytestmark = pytest.mark.e2e

FEEDS = {
    "google": (places.GOOGLE, "oauth2accesstoken"),
    "google-key": (places.GOOGLE_KEY, "_json_key_base64"),
    "codeartifact": (places.CODEARTIFACT, "aws"),
    "gitlab": (places.GITLAB, "__token__"),
    "artifactory": (places.ARTIFACTORY, "dev"),
    "cloudsmith": (places.CLOUDSMITH, "token"),
    "cloudsmith-job": (places.CLOUDSMITH_JOB, "token"),
    "jfrog-cli": (places.JFROG_CLI, "alice"),
    "jfrog-aws": (places.JFROG_AWS, "alice"),
    "jfrog-job": (places.JFROG_JOB, "alice"),
    "nexus": (places.NEXUS, places.NAME_CODE),
    "oauth2": (places.OAUTH2, "__token__"),
    "command": (places.COMMAND, "robot"),
}


def uv_with_username(town: Town, folder: Path, url: str, username: str) -> Outcome:
    named = url.replace("https://", f"https://{username}@")
    return town.house.uv_pip(
        "install", "--no-cache", "--target", folder, "--index-url", named, "demo-package"
    )


def uv_always(town: Town, folder: Path, url: str, _: str) -> Outcome:
    settings = town.house.home / f"{folder.parent.name}.toml"
    settings.write_text(f'[[index]]\nname = "corp"\nurl = "{url}"\ndefault = true\nauthenticate = "always"\n')
    chosen = ("--config-file", settings)
    return town.house.uv_pip("install", "--no-cache", *chosen, "--target", folder, "demo-package")


def pip_with_username(town: Town, folder: Path, url: str, username: str) -> Outcome:
    named = url.replace("https://", f"https://{username}@")
    quiet = ("--no-cache-dir", "--target", folder)
    return town.house.pip("install", *quiet, "--index-url", named, "demo-package")


def pip_without(town: Town, folder: Path, url: str, _: str) -> Outcome:
    return town.house.pip("install", "--no-cache-dir", "--target", folder, "--index-url", url, "demo-package")


CLIENTS = {
    "uv, username": uv_with_username,
    "uv, always": uv_always,
    "pip, username": pip_with_username,
    "pip": pip_without,
}


INSTALLS = {
    f"{name}-{client}": (name, client)
    for name, client in (
        *((name, client) for name in FEEDS for client in ("uv, username", "pip")),
        *((name, "uv, always") for name in ("gitlab", "nexus")),
        ("google-key", "pip, username"),
    )
}
PIP_ALWAYS = ("nexus",)
"""pip asks for every feed in the same words, and takes five times as long as uv."""
ALWAYS = [row for row, (name, client) in INSTALLS.items() if "pip" not in client or name in PIP_ALWAYS]


@pytest.mark.parametrize(("name", "client"), sampled(INSTALLS, ALWAYS))
def test_client_installs_from_every_kind_of_feed(town: Town, tmp_path: Path, name: str, client: str) -> None:
    url, username = FEEDS[name]

    done = CLIENTS[client](town, tmp_path / "in", url, username)

    assert done.exit_code == 0, done.text
    assert {"demo_package.py", "demo_dependency.py"} <= {file.name for file in (tmp_path / "in").iterdir()}


@pytest.mark.parametrize("client", sampled(("uv, username", "uv, always", "pip, username"), ["uv, username"]))
def test_versions_that_the_public_does_not_see_are_found(town: Town, tmp_path: Path, client: str) -> None:
    done = CLIENTS[client](town, tmp_path / "in", *FEEDS["artifactory"])

    assert done.exit_code == 0, done.text
    assert (tmp_path / "in" / "demo_package.py").read_text() == 'version = "2.0"\n'


def test_a_locked_file_under_a_projects_number_is_answered_for_the_groups_name(
    town: Town, tmp_path: Path
) -> None:
    index = f'[[tool.uv.index]]\nname = "corp"\nurl = "{places.GITLAB}"\ndefault = true'
    town.house.project(tmp_path, index)
    named = {"UV_INDEX_CORP_USERNAME": "__token__"}
    locked = town.house.uv("lock", cwd=tmp_path, environment=named)

    done = town.house.uv("sync", "--frozen", "--no-cache", cwd=tmp_path, environment=named)

    assert (locked.exit_code, done.exit_code) == (0, 0), locked.text + done.text
    asked = town.wire.status()["recent"][-1]
    assert "/api/v4/projects/42/packages/pypi/files/" in asked["url"]
    assert (asked["feed"], asked["outcome"]) == ("gitlab", "hit")


def test_each_service_was_asked_for_one_token(town: Town) -> None:
    for url, _ in FEEDS.values():
        assert town.wire.look_up(url).status == 200, url

    assert len(town.field.google.tokens) == 1
    assert len(town.field.aws.tokens) == 1
    assert len(town.field.endpoint.tokens) == 1
    assert len(town.field.artifactory.requests) == 1
    assert len(town.field.jfrog.requests) == 1
    assert len(town.field.roles.requests) == 1
    assert len(town.field.jobs.requests) == 1
    assert len(town.field.cloudsmith.tokens) == 1


def test_status_knows_whose_tokens_they_are_and_when_they_end(town: Town) -> None:
    assert town.wire.look_up(places.GITLAB).status == 200
    assert town.wire.look_up(places.GOOGLE).status == 200

    gitlab, google = town.wire.feed("gitlab"), town.wire.feed("google")

    assert (gitlab["account"], gitlab["expires_at"]) == ("laptop", "2199-12-31T00:00:00Z")
    assert (google["account"], google["source"]) == ("dev@acme.example", "google-auth")
    assert 3000 < google["left_s"] < 3600


def test_status_warns_of_a_token_that_only_a_person_can_replace(house: Household) -> None:
    next_week = datetime.now(UTC).date() + timedelta(days=7)
    gitlab = GitLab(places.WHEELS)
    gitlab.tokens[places.GITLAB_TOKEN] = Token(expires_at=str(next_week))
    house.proxy.route("git.example.com", gitlab)
    secret = house.keep_secret("gitlab", places.GITLAB_TOKEN)
    house.configure(feed("gitlab", places.GITLAB, f'provider = "gitlab"\nsecret = "{secret}"'))
    with house.forked_brokerd() as broker:
        assert broker.wire.look_up(places.GITLAB).status == 200
        seen = house.brokerctl("status")

    assert seen.exit_code == 0
    assert f"ends on {next_week}: make another at https://git.example.com/-/" in " ".join(seen.stdout.split())
