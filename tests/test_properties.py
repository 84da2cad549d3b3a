"""The properties, which every run tries with a few examples, with as many as hypothesis likes to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

LIMIT_S = 3600


def files() -> list[str]:
    """All that have a property."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file) for file in found if "\n@given(" in file.read_text(encoding="utf-8")]


@pytest.mark.long
def test_each_property_holds_for_many_examples() -> None:
    chosen = ("-m", "hypothesis and not long", "--hypothesis-profile=whole")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *chosen, *files()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )

    assert done.returncode == 0, done.stdout
