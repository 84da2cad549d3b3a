"""The messages that docs/why-and-doctor.md explains are those that the programs print: each row's, by the
real one.
"""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, PLAIN_FEED, TENANT, USER, Household, feed, household
from tests.e2e.why_cases import DEMO, PROJECT, WITH_STALE, index
from tests.fakes.clients import PYTHON, Outcome
from tests.fakes.http1 import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs/why-and-doctor.md").read_text()
SCRIPTS = Path(sysconfig.get_path("scripts"))
BARRED = "barred.example"
NO_MESSAGES = ("the same", "it works")
"""How the rows begin that tell of no message."""


@pytest.fixture(scope="module")
def house() -> Iterator[Household]:
    with household() as made:
        made.configure(f"auto = false\n{feed('corp', AZURE_FEED)}{made.plain_feed()}")
        made.proxy.route(BARRED, lambda _: Response(403))
        yield made


def uv_install(house: Household, folder: Path, url: str) -> Outcome:
    return house.uv_pip("install", "--no-cache", "--target", folder / "t", "--index-url", url, DEMO)


def pip_install(house: Household, folder: Path, url: str, **more: str) -> Outcome:
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--no-cache-dir",
        "--target",
        folder / "t",
        "-i",
        url,
        DEMO,
    ]
    return house._run(command, folder, more)


def told_by_uv(house: Household, folder: Path) -> str:
    return uv_install(house, folder, PLAIN_FEED).text


def told_by_frozen_sync(house: Household, folder: Path) -> str:
    (folder / "pyproject.toml").write_text(PROJECT + index(AZURE_FEED, 'authenticate = "always"'))
    with house.forked_brokerd():
        named = {"UV_INDEX_CORP_USERNAME": "dev"}
        assert house.uv("lock", "--no-cache", cwd=folder, environment=named).exit_code == 0
        return house.uv("sync", "--frozen", "--no-cache", cwd=folder, environment={}).text


def told_by_a_closed_feed(house: Household, folder: Path) -> str:
    return uv_install(house, folder, f"https://{BARRED}/simple/").text


def told_by_pip(house: Household, folder: Path) -> str:
    return pip_install(house, folder, AZURE_FEED, PIP_KEYRING_PROVIDER="disabled").text


def told_by_pip_with_a_password(house: Household, folder: Path) -> str:
    return pip_install(house, folder, WITH_STALE, PIP_NO_INPUT="1").text


def told_by_the_shim(house: Household, _: Path) -> str:
    house.az.sign_out()
    with house.forked_brokerd():
        told = house.keyring("get", AZURE_FEED, "dev").text
    house.az.sign_in(USER, [TENANT])
    return told


def told_by_brokerctl(house: Household, folder: Path) -> str:
    return house._run([SCRIPTS / "brokerctl", "status"], folder, {}).text


def told_by_a_second_daemon(house: Household, folder: Path) -> str:
    with house.brokerd():
        return house._run([SCRIPTS / "brokerd"], folder, {}).text


ROWS: dict[str, Callable[[Household, Path], str]] = {
    "token-broker: corp: …; run: az login …": told_by_the_shim,
    "An index URL (…) could not be queried due to a lack of valid authentication credentials "
    "(401 Unauthorized)": told_by_uv,
    "HTTP status client error (401 …": told_by_frozen_sync,
    "403 Forbidden": told_by_a_closed_feed,
    "User for pkgs.dev.azure.com:": told_by_pip,
    "WARNING: 401 Error, Credentials not correct for …": told_by_pip_with_a_password,
    "token-broker is not running": told_by_brokerctl,
    "brokerd: process 4242 already serves …": told_by_a_second_daemon,
}
QUICK = ("An index URL", "User for", "token-broker is not", "WARNING")


@pytest.mark.parametrize(
    "message",
    [each if each.startswith(QUICK) else pytest.param(each, marks=pytest.mark.long) for each in ROWS],
)
def test_message_is_what_the_program_prints(house: Household, tmp_path: Path, message: str) -> None:
    told = " ".join(ROWS[message](house, tmp_path).split())

    shape = re.escape(message).replace("…", ".*").replace("4242", "[0-9]+")
    assert re.search(shape, told), told[-700:]


def test_each_row_of_the_page_is_one_of_these() -> None:
    table = PAGE.partition("| what uv, pip or the shim prints |")[2].partition("\n\n")[0]
    heads = [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()[2:]]
    messages = [head for head in heads if not head.startswith(NO_MESSAGES)]

    assert [re.findall("`([^`]+)`", head)[0] for head in messages] == list(ROWS)
