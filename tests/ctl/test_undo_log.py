"""What `brokerctl setup` does is undone, by `teardown` or by the script, in whatever home it was done."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import HOMES, JOURNAL, PIP_SETTINGS, UV_SETTINGS, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]
    Furnish = Callable[[Path], None]

ENV = ".config/token-broker/env.toml"


@pytest.mark.parametrize("furnish", HOMES)
def test_teardown_leaves_the_home_as_it_was(brokerctl: Brokerctl, home: Path, furnish: Furnish) -> None:
    furnish(home)
    before = tree(home)
    brokerctl("setup", "--replace")
    between = tree(home)

    ended = brokerctl("teardown")

    assert ended.exit_code == 0
    assert between != before
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_undo_script_does_the_same_when_brokerctl_is_gone(
    brokerctl: Brokerctl, home: Path, furnish: Furnish
) -> None:
    furnish(home)
    before = tree(home)
    brokerctl("setup", "--replace")

    done = subprocess.run(
        ["/bin/sh", home / JOURNAL / "undo.sh"], capture_output=True, text=True, check=False, cwd="/"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_doing_it_again_changes_nothing(brokerctl: Brokerctl, home: Path, furnish: Furnish) -> None:
    furnish(home)
    brokerctl("setup", "--replace")
    before = tree(home)

    ended = brokerctl("setup", "--replace")

    assert ended.exit_code == 0
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_dry_run_changes_nothing_and_says_what_it_would(
    brokerctl: Brokerctl, home: Path, furnish: Furnish
) -> None:
    furnish(home)
    before = tree(home)

    ended = brokerctl("setup", "--dry-run", "--replace")

    assert tree(home) == before
    assert '+keyring-provider = "subprocess"' in ended.stdout
    assert "would link   ~/.local/bin/keyring" in ended.stdout


def test_later_edits_stay_and_only_our_line_goes(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    for place, line in ((UV_SETTINGS, "offline = true\n"), (PIP_SETTINGS, "timeout = 9\n")):
        (home / place).write_text((home / place).read_text() + line)

    ended = brokerctl("teardown")

    assert (home / UV_SETTINGS).read_text() == "offline = true\n"
    assert (home / PIP_SETTINGS).read_text() == "[global]\ntimeout = 9\n"
    assert ended.stdout.count("was changed since: only our line was taken out") == 2


def test_undo_script_names_what_was_changed_and_leaves_it(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    (home / UV_SETTINGS).write_text((home / UV_SETTINGS).read_text() + "offline = true\n")
    changed = (home / UV_SETTINGS).read_text()

    done = subprocess.run(
        ["/bin/sh", home / JOURNAL / "undo.sh"], capture_output=True, text=True, check=True, cwd="/"
    )

    assert (home / UV_SETTINGS).read_text() == changed
    assert 'our line in it is: keyring-provider = "subprocess"' in done.stdout
    assert not (home / PIP_SETTINGS).exists()


def test_edits_between_two_set_ups_survive_the_teardown(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    (home / UV_SETTINGS).write_text("offline = true\n")
    brokerctl("setup")

    brokerctl("teardown")

    assert (home / UV_SETTINGS).read_text() == "offline = true\n"


def test_teardown_of_nothing_says_so(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("teardown")

    assert (ended.exit_code, ended.stdout) == (0, "nothing was set up here\n")
    assert tree(home) == {}
