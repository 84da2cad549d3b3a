"""From a project that names feeds to feeds that the broker serves, by the lines that `brokerctl` prints."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import field as places
from tests.e2e.field import settle
from tests.e2e.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.household import Household

pytestmark = pytest.mark.e2e


@pytest.fixture
def hamlet(house: Household) -> Iterator[Town]:
    """A town where nothing is configured but where netrc is."""
    field = settle(house)
    house.configure(f"[env]\nNETRC = '{house.home / 'netrc-of-the-daemon'}'\n")
    with house.forked_brokerd() as broker:
        yield Town(house, field, broker.wire)


def discovered(town: Town, folder: Path) -> dict[str, dict[str, Any]]:
    """What is found in the folder, by address."""
    ended = town.ask("discover", "--json", str(folder))
    assert ended.exit_code == 0, ended.text
    return {feed["url"]: feed for feed in json.loads(ended.stdout)["feeds"]}


def test_feed_of_a_project_is_found_added_and_installed_from(hamlet: Town, tmp_path: Path) -> None:
    index = (
        f'[[tool.uv.index]]\nname = "libs"\nurl = "{places.NEXUS}"\ndefault = true\nauthenticate = "always"'
    )
    hamlet.house.project(tmp_path, index)
    line = shlex.split(discovered(hamlet, tmp_path)[places.NEXUS]["add"])

    added = hamlet.house.brokerctl(*line[1:], "--secret", "netrc")
    synced = hamlet.house.uv("sync", "--no-cache", cwd=tmp_path, environment={})

    assert added.exit_code == 0, added.text
    assert 'authenticate = "always"' in added.stdout
    assert synced.exit_code == 0, synced.text
    assert discovered(hamlet, tmp_path)[places.NEXUS]["feed"] == "libs"


def test_index_that_asks_strangers_for_a_password_is_told_from_one_that_does_not(
    hamlet: Town, tmp_path: Path
) -> None:
    plain = places.ARTIFACTORY  # answers strangers, too, with fewer versions
    (tmp_path / "uv.toml").write_text(f'index-url = "{places.OAUTH2}"\nextra-index-url = ["{plain}"]\n')

    found = discovered(hamlet, tmp_path)

    assert (found[places.OAUTH2]["standing"], found[places.OAUTH2]["why"]) == (
        "to-add",
        "asks strangers for a password",
    )
    assert found[plain]["standing"] == "to-add"
