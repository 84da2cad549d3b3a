from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from typer.main import get_group

from broker.ctl import verbs as declared
from broker.ctl.app import app_with
from broker.ctl.setup.completion import bash, fish, verbs_and_options, zsh

if TYPE_CHECKING:
    from pathlib import Path

VERBS = {"status": ["--json", "--watch"], "stop": ["--help"]}


def completed(tmp_path: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    script = tmp_path / "brokerctl"
    script.write_text(bash(VERBS))
    program = f'. {script}; COMP_WORDS=(brokerctl "$@"); COMP_CWORD=$#; _brokerctl; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", program, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["st"], ["status", "stop"]),
        (["status", "--"], ["--json", "--watch"]),
        (["stop", "--j"], []),
        (["x"], []),
    ],
)
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_offers_verbs_then_their_options(tmp_path: Path, words: list[str], offered: list[str]) -> None:
    assert completed(tmp_path, *words) == offered


ZSH = """
compadd() { print -- ${(P)@[-1]} }
ask() { source "$1" }
words=(brokerctl ${@[2,-1]}) CURRENT=$#
ask "$1"
"""


@pytest.mark.parametrize(
    ("words", "offered"), [([""], [*VERBS, "--help", "--version"]), (["status", "--"], ["--json", "--watch"])]
)
@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
def test_zsh_offers_verbs_then_their_options(tmp_path: Path, words: list[str], offered: list[str]) -> None:
    script = tmp_path / "_brokerctl"
    script.write_text(zsh(VERBS))

    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", script, *words], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == offered


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_script_for_fish_parses(tmp_path: Path) -> None:
    script = tmp_path / "brokerctl.fish"
    script.write_text(fish(VERBS))

    done = subprocess.run(["fish", "-n", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_verb_is_offered_with_its_own_options() -> None:
    verbs = verbs_and_options(get_group(app_with(declared.VERBS)))

    assert {"setup", "teardown", "status", "exec", "add"} <= verbs.keys()
    assert {"--dry-run", "--replace", "--help"} <= set(verbs["setup"])
