"""`brokerctl setup` on a terminal shows what it will change and asks; `teardown` says what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import LINK, PIP_SETTINGS, write
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

BROKERCTL = Path(sys.executable).parent / "brokerctl"


def on_a_terminal(answer: str, *words: str) -> tuple[int, str]:
    """What brokerctl ends with and prints, where a user types this answer."""
    ours, theirs = os.openpty()
    os.write(ours, answer.encode())
    try:
        done = subprocess.run(
            [BROKERCTL, *words], stdin=theirs, capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout + done.stderr


def test_no_changes_nothing_and_all_of_it_was_shown(home: Path) -> None:
    code, said = on_a_terminal("n\n", "setup")

    assert (code, (home / LINK).is_symlink(), (home / PIP_SETTINGS).exists()) == (1, False, False)
    assert "nothing was changed" in said
    for path in ("~/.local/bin/keyring", "~/.config/pip/pip.conf", "env.toml"):
        assert path in said


@pytest.mark.parametrize(("answer", "words"), few([("y\n", ("setup",)), ("", ("setup", "--yes"))], 1))
def test_yes_is_typed_or_said_before(home: Path, answer: str, words: tuple[str, ...]) -> None:
    code, said = on_a_terminal(answer, *words)

    assert (code, (home / LINK).is_symlink()) == (0, True)
    assert ("Do this?" in said) == bool(answer)
    assert said.count("+keyring-provider") == 2  # once for uv, once for pip


def test_teardown_says_what_stays(brokerctl: Brokerctl, home: Path) -> None:
    write(home / ".config/token-broker/config.toml", 'ttl = "50m"\n', 0o600)
    brokerctl("setup")

    said = brokerctl("teardown").stdout

    assert "what stays: ~/.config/token-broker/config.toml, your configuration\n" in said
    assert f"what stays: token-broker itself, in {sys.prefix}\n" in said
