"""Set-up or teardown is killed at any of its changes to a file: afterwards the home can be made as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.ctl.homes import write
from tests.sampling import few

if TYPE_CHECKING:
    from pathlib import Path

HOMES = [
    "nothing",
    "settings_of_both,foreign_keyring",
    "settings_in_a_dotfiles_folder,foreign_keyring_by_a_relative_link,library_client",
]
CASES = [
    *((HOMES[2], verb, then) for verb in ("setup", "teardown") for then in ("teardown", "script", "again")),
    *((home, verb, "teardown") for home in HOMES[:2] for verb in ("setup", "teardown")),
]
"""What is in the home, what is killed there, and by what it is repaired."""

STEP = 14
"""By default every fourteenth point is tried, a different one in each home; all of them with `-m long`."""

POINTS_AT_LEAST = 50


def found(*words: object) -> dict[str, Any]:
    """What `kill_points` found."""
    program = [sys.executable, "-m", "tests.ctl.kill_points", *map(str, words)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(params=["systemd", "no service manager"])
def managed(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, with and without a service manager, which agrees to everything."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    if request.param == "systemd":
        for program in ("systemctl", "loginctl", "systemd-analyze"):
            write(home.parent / "programs" / program, "#!/bin/sh\necho 255\n", 0o755)
    return home


@pytest.mark.parametrize(("furnished", "verb", "then"), CASES)
@pytest.mark.long
@pytest.mark.usefixtures("managed")
def test_killed_at_any_change_it_leaves_nothing(furnished: str, verb: str, then: str) -> None:
    answer = found(verb, furnished, then, 1, 1)

    assert answer["left"] == {}
    assert answer["points"] > POINTS_AT_LEAST


@pytest.mark.parametrize(
    ("managed", "verb", "then"),
    few(
        [
            ("no service manager", "setup", "teardown"),
            ("no service manager", "teardown", "again"),
        ],
        2,
    ),
    indirect=["managed"],
)
@pytest.mark.usefixtures("managed")
def test_killed_at_every_fourteenth_change_it_leaves_nothing(verb: str, then: str) -> None:
    answer = found(verb, HOMES[2], then, 1 + len(then) % STEP, STEP)

    assert answer["left"] == {}
    assert answer["points"] > POINTS_AT_LEAST // STEP - 1


@pytest.mark.usefixtures("home")
def test_four_at_once_lose_nothing() -> None:
    assert found("at_once", HOMES[1], 4) == {"rounds": 4, "left": {}}


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_four_at_once_lose_nothing_in_200_rounds() -> None:
    assert found("at_once", HOMES[1], 200) == {"rounds": 200, "left": {}}
