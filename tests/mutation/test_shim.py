"""No mutant of what the native shim reads survives the contract, but those that change nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.shims import CLIENT, compiler
from tests.mutation.c_mutants import mutants
from tests.mutation.explained import SHIM

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(compiler() is None, reason="no C compiler here: the native shim cannot be built"),
]

ROOT = CLIENT.parent
ASKED = ("test_dialects.py", "test_answers.py", "test_agreement.py")
ANSWERED = ("test_answers.py", "test_dialects.py", "test_agreement.py")
"""The contract's suites that these functions decide, the one that most of their mutants fail first."""

KILLERS = {
    "option_value": ASKED,
    "parse_command": ASKED,
    "printable": ANSWERED,
    "is_header": ANSWERED,
    "read_number": ANSWERED,
    "parse_answer": ANSWERED,
    "judge_credential": ANSWERED,
}
"""Who must notice a change of each function."""

HANGS_S = 120.0
"""A mutant that loops for ever is found out by its test; this is for a test that loops for ever with it."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the shim and its contract, whose shim may be mutated."""
    for name in ("client", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    for name in ("pyproject.toml", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def is_killed(copy: Path, function: str, source: str) -> bool:
    """Whether the contract turns down a shim of this source; one that cannot be compiled counts."""
    (copy / "client" / "keyring_shim.c").write_text(source)
    suites = [f"tests/contract/{name}" for name in KILLERS[function]]
    options = ["-n0", "-x", "-q", "-p", "no:cacheprovider", "-k", "sanitized or both"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *suites],
        cwd=copy,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as suite:
        try:
            return suite.wait(HANGS_S) != 0
        except subprocess.TimeoutExpired:
            os.killpg(suite.pid, signal.SIGKILL)  # with the mutant, which would loop on
            return True


def survivors(copy: Path, function: str) -> Iterator[str]:
    for mutant in mutants((CLIENT / "keyring_shim.c").read_text(), function):
        if mutant.change not in SHIM.get(function, {}) and not is_killed(copy, function, mutant.source):
            yield mutant.change


def test_the_shim_itself_is_not_killed(copy: Path) -> None:
    assert not is_killed(copy, "printable", (CLIENT / "keyring_shim.c").read_text())


@pytest.mark.parametrize("function", SHIM)
def test_what_is_explained_is_a_mutant_that_there_is(function: str) -> None:
    there_are = {mutant.change for mutant in mutants((CLIENT / "keyring_shim.c").read_text(), function)}

    assert SHIM[function].keys() <= there_are


@pytest.mark.parametrize("function", KILLERS)
def test_no_mutant_survives_unexplained(copy: Path, function: str) -> None:
    assert list(survivors(copy, function)) == []
