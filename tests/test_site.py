"""The site of docs/ is built without a warning: each page is in its menu, each link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def built(root: Path, into: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", into],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_site_is_built_without_a_warning_and_fetches_nothing_from_another_host(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path)

    assert (done.returncode, re.findall("^WARNING.*", done.stderr, re.MULTILINE)) == (0, [])
    assert (tmp_path / "project" / "SECURITY.html").is_file()
    for page in tmp_path.rglob("*.html"):
        assert re.findall(r'<(?:script|link)[^>]*(?:src|href)="https?:[^"]*"', page.read_text()) == []


@pytest.mark.parametrize("broken", ["[a](nowhere.md)", "[a](install.md#nowhere)"])
def test_a_link_that_leads_nowhere_fails(tmp_path: Path, broken: str) -> None:
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "index.md").write_text(f"# Start\n\n{broken}\n")
    (root / "docs" / "install.md").write_text("# Install\n")
    settings = (
        (ROOT / "mkdocs.yml")
        .read_text()
        .partition("nav:\n  - Start")[0]
        .replace("hooks: [tools/site_hooks.py]", "")
    )
    (root / "mkdocs.yml").write_text(settings)

    assert built(root, tmp_path / "site").returncode == 1
