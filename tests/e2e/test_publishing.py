"""The real uv and twine publish through the broker: uv by the shim, twine by the backend of the keyring
library. Next: `test_poetry.py`, `test_pdm.py` and `test_hatch.py`, which take longer.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import field as places
from tests.e2e.household import AZURE_FEED, AZURE_UPLOAD, PACKAGE
from tests.e2e.transcript import Transcript
from tests.e2e.workbench import Workbench
from tests.fakes.clients import UV
from tests.fakes.organisation import READ, WRITE

if TYPE_CHECKING:
    from tests.e2e.town import Town
    from tests.fakes.clients import Outcome
    from tests.fakes.wheels import Wheel

pytestmark = pytest.mark.e2e

TWINE = Path(sysconfig.get_path("scripts")) / "twine"

UPLOADS = {
    "google-key": "_json_key_base64",
    "cloudsmith": "token",
    "codeartifact": "aws",
    "gitlab": "__token__",
    "artifactory": "alice",
    "nexus": places.NAME_CODE,
    "oauth2": "__token__",
}
"""Where uv publishes to, and the username that it gives."""


@pytest.fixture(scope="module")
def transcript(town: Town) -> Transcript:
    return Transcript(town.house)


@pytest.fixture
def bench(town: Town, tmp_path: Path) -> Workbench:
    return Workbench(town, tmp_path, UV)


@pytest.fixture
def built(bench: Workbench) -> Wheel:
    """A wheel of a name that no other test uses."""
    return bench.build(bench.folder.name.replace("_", "-"))


def uv_publish(town: Town, folder: Path, url: str, username: str, *options: str) -> Outcome:
    where = ("--publish-url", url, "--username", username)
    return town.house.uv(
        "publish", "--trusted-publishing", "never", *where, *options, "dist/*", cwd=folder, environment={}
    )


def twine_upload(town: Town, folder: Path, url: str, *options: str) -> Outcome:
    where = ("--repository-url", url, "--disable-progress-bar")
    files = (folder / "dist").iterdir()
    return town.house._run([TWINE, "upload", "--non-interactive", *where, *options, *files], folder, {})


@pytest.mark.parametrize("name", UPLOADS)
def test_uv_publishes_to_every_kind_of_feed(town: Town, tmp_path: Path, built: Wheel, name: str) -> None:
    done = uv_publish(town, tmp_path, places.UPLOADS[name], UPLOADS[name])

    assert done.exit_code == 0, done.text
    assert built in town.field.stores[name].wheels


def test_twine_publishes_with_the_username_that_the_broker_names(
    town: Town, tmp_path: Path, built: Wheel
) -> None:
    done = twine_upload(town, tmp_path, places.UPLOADS["nexus"])

    assert done.exit_code == 0, done.text
    assert built in town.field.stores["nexus"].wheels


def test_uv_asks_azure_for_the_right_to_write_in_its_own_words(
    town: Town, transcript: Transcript, tmp_path: Path, built: Wheel
) -> None:
    transcript.take()

    done = uv_publish(town, tmp_path, AZURE_UPLOAD, "dev")

    assert done.exit_code == 0, done.text
    assert transcript.take() == [["get", AZURE_UPLOAD, "dev"]]
    assert built in town.house.acme.feed("corp").wheels


@pytest.mark.parametrize(
    "username",
    [(), pytest.param(("--username", "dev"), marks=pytest.mark.long)],
    ids=["no username", "username"],
)
def test_twine_asks_azure_for_the_right_to_write_by_its_url_alone(
    town: Town, tmp_path: Path, built: Wheel, username: tuple[str, ...]
) -> None:
    before = town.count()

    done = twine_upload(town, tmp_path, AZURE_UPLOAD, *username)

    assert done.exit_code == 0, done.text
    # without a username, first for the pair and then for the password to the name
    assert town.asked_since(before) == [(AZURE_UPLOAD, "yes")] * (1 if username else 2)
    assert built in town.house.acme.feed("corp").wheels


def test_reading_and_writing_have_a_token_each_and_the_reading_one_writes_nothing(town: Town) -> None:
    read, write = (town.wire.look_up(url).password for url in (AZURE_FEED, AZURE_UPLOAD))
    again = [town.wire.look_up(url).password for url in (AZURE_FEED, AZURE_UPLOAD)]

    scopes = {token.value: token.identity.scopes for token in town.house.acme.issued}
    assert (scopes[read], scopes[write]) == (frozenset({READ}), frozenset({WRITE}))
    assert again == [read, write]
    assert [exchange.scope for exchange in town.house.acme.exchanges].count(WRITE) == 1


def test_uv_finds_what_is_published_already_where_the_check_url_has_a_username(
    town: Town, transcript: Transcript, tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / PACKAGE.filename).write_bytes(PACKAGE.content)
    transcript.take()

    done = uv_publish(
        town, tmp_path, AZURE_UPLOAD, "dev", "--check-url", AZURE_FEED.replace("//", "//dev@", 1)
    )

    assert done.exit_code == 0, done.text
    assert "already exists, skipping" in done.text
    assert transcript.take() == [
        ["get", AZURE_UPLOAD, "dev"],
        ["get", f"{AZURE_FEED}{PACKAGE.project}/", "dev"],
    ]


def test_uv_that_may_not_publish_is_told_so_by_the_server(town: Town, tmp_path: Path, built: Wheel) -> None:
    town.house.acme.contributors = {"somebody-else@acme.example"}
    try:
        done = uv_publish(town, tmp_path, AZURE_UPLOAD, "dev")
    finally:
        town.house.acme.contributors = None

    assert done.exit_code != 0
    assert "403" in done.text
    assert built not in town.house.acme.feed("corp").wheels
