"""What the pages tell people to type, for tests that type it."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def told(page: str, heading: str, number: int = 0, *, kind: str = "sh") -> str:
    """A fenced block of this kind below a heading of `docs/PAGE.md`, as it is to be typed or written."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    section = f"\n{text}".partition(f"# {heading}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(rf"^```{kind}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return blocks[number]
