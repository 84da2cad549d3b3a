"""The site of docs/ is built without a warning: each page is in its menu, each link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

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


def test_a_link_that_leads_nowhere_fails(tmp_path: Path) -> None:
    broken = ["nowhere.md", "install.md#nowhere"]
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "index.md").write_text("# Start\n\n" + "".join(f"[a]({link})\n" for link in broken))
    (root / "docs" / "install.md").write_text("# Install\n")
    settings = (
        (ROOT / "mkdocs.yml")
        .read_text()
        .partition("nav:\n  - Start")[0]
        .replace("hooks: [tools/site_hooks.py]", "")
    )
    (root / "mkdocs.yml").write_text(settings)

    done = built(root, tmp_path / "site")

    assert done.returncode == 1
    assert [link for link in broken if not re.search(f"^WARNING.*'{link}'", done.stderr, re.MULTILINE)] == []
