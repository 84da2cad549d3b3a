"""The real tools that run uv or pip, and those that ask a keyring of their own: `why` names the cause through
them. `test_tools_served.py` serves the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import (
    AZURE_FEED,
    PACKAGE,
    PLAIN_FEED,
    PLAIN_HOST,
    PLAIN_PASSWORD,
    Household,
    feed,
    household,
)
from tests.e2e.real_tools import LIMIT_S, POETRY, ToolBench
from tests.e2e.test_why_in_the_field import BROKERCTL
from tests.e2e.why_cases import AS_CI, AS_JANE, STALE, WITH_STALE
from tests.fakes.clients import outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("wrapped")]

WRONG = {
    "tox": (AS_JANE, "other-user"),
    "tox with uv": (PLAIN_FEED, "no-username"),
    "nox": (AS_JANE, "other-user"),
    "nox with uv": (PLAIN_FEED, "no-username"),
    "pre-commit": (AS_JANE, "other-user"),
    "pipx": (AS_JANE, "other-user"),
    "pipx with uv": (PLAIN_FEED, "no-username"),
    "build": (AS_JANE, "other-user"),
    "pdm": (WITH_STALE, "own-password"),
    "pdm with uv": (PLAIN_FEED, "no-username"),
    "poetry": (AS_CI, "poetry-username"),
    "pipenv": (PLAIN_FEED, "provider"),
}
"""The index that each tool is given, and what is found."""

WITHOUT_PROVIDER = ("pipenv",)
"""A user name, another's even, keeps none of its look-ups away (`broker/ctl/clients/pipfile.py`)."""


@pytest.fixture(scope="module")
def house() -> Iterator[Household]:
    with household() as made:
        made.configure(feed("corp", AZURE_FEED) + made.plain_feed())
        # tox keeps every variable that names a socket from its children: they find it above their `bin`
        made.socket = made.folder / "broker.sock"
        made.environment["TOKEN_BROKER_SOCKET"] = str(made.socket)
        with made.forked_brokerd():
            yield made


@pytest.mark.parametrize("name", WRONG)
def test_why_names_the_cause_through_the_tool(
    house: Household, toolbox: Toolbox, tmp_path: Path, name: str
) -> None:
    index, check = WRONG[name]
    bench = ToolBench(house, toolbox, tmp_path, name, index)

    if name in WITHOUT_PROVIDER:
        del bench.environment["PIP_KEYRING_PROVIDER"]

    told = bench.run(BROKERCTL, "why", "--json", "--")

    assert told.exit_code != 0
    assert told.stderr.splitlines()[-1].startswith("{"), told.text
    found = json.loads(told.stderr.splitlines()[-1])["findings"]
    assert check in {each["check"] for each in found}, found
    assert any(PLAIN_HOST in f"{each['said']} {each['repair']}" for each in found), found
    assert "TRACE" not in told.text
    assert not any(password in told.text for password in (STALE, PLAIN_PASSWORD))


@pytest.mark.parametrize("index", [AS_JANE, WITH_STALE], ids=["another user", "an old password"])
def test_pipenv_is_served_whatever_login_its_pipfile_has(
    house: Household, toolbox: Toolbox, tmp_path: Path, index: str
) -> None:
    bench = ToolBench(house, toolbox, tmp_path, "pipenv", index)

    done = bench.run(BROKERCTL, "why", "--")
    doctor = outcome_of([BROKERCTL, "doctor", "--json"], tmp_path, bench.environment, LIMIT_S)

    assert done.exit_code == 0, done.text
    assert "nothing failed; pip took passwords from netrc, the keyring" in done.stderr
    assert "index-user" not in doctor.stdout
    assert "asks no keyring" not in doctor.stdout


def test_the_line_for_pipenv_makes_it_install(house: Household, toolbox: Toolbox, tmp_path: Path) -> None:
    bench = ToolBench(house, toolbox, tmp_path, "pipenv", PLAIN_FEED)
    del bench.environment["PIP_KEYRING_PROVIDER"]

    told = bench.run(BROKERCTL, "why", "--json", "--")
    [found] = json.loads(told.stderr.splitlines()[-1])["findings"]
    done = bench.run("sh", "-c", f'{found["repair"]} && exec "$@"', "sh")

    assert told.exit_code != 0
    assert found["repair"] == "export PIP_KEYRING_PROVIDER=subprocess"
    assert done.exit_code == 0, done.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("twine", ("upload", "--non-interactive", "--repository-url")),
        ("hatch", ("publish", "-n", "-r")),
        ("poetry", ()),
    ],
)
def test_a_library_client_without_our_backend_is_named(
    house: Household, toolbox: Toolbox, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    program = toolbox.program(name, library=False)
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(PACKAGE.content)
    (tmp_path / "pyproject.toml").write_text(POETRY.replace("{index}", PLAIN_FEED))
    more = (PLAIN_FEED, "demo-1.0-py3-none-any.whl") if words else ("lock",)
    command = [BROKERCTL, "why", "--json", "--", program, *words, *more]

    told = outcome_of(command, tmp_path, house.environment, LIMIT_S)

    answer = json.loads(told.stderr.splitlines()[-1])
    [found] = answer["findings"]
    assert (answer["gateway"] is not None) == (name == "poetry")
    assert found["check"] == "backend"
    assert str(program.parent.parent) in found["said"]
    assert found["repair"].endswith("-m pip install wheels/token_broker_client-*.whl")


@pytest.mark.parametrize("url", [PLAIN_FEED, AS_CI])
def test_poetry_without_our_backend_or_with_a_user_name_locks_behind_the_gateway(
    house: Household, toolbox: Toolbox, tmp_path: Path, url: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(POETRY.replace("{index}", url))
    command: list[str | Path] = [toolbox.program("poetry", library=False), "lock", "-n"]
    environment = {**house.environment, "POETRY_CACHE_DIR": str(tmp_path / "cache")}

    told = outcome_of([BROKERCTL, "why", "--json", "--", *command], tmp_path, environment, LIMIT_S)
    line = json.loads(told.stderr.splitlines()[-1])["gateway"].replace("brokerctl", str(BROKERCTL), 1)
    done = outcome_of(["sh", "-c", line], tmp_path, environment, LIMIT_S)

    assert told.exit_code != 0
    assert done.exit_code == 0, done.text
