"""A browser that is already signed in: opens the page it is given, follows it back to loopback, and
returns at once, as `xdg-open` does. Programs find it through the variable BROWSER.
Next: `entra.py`, whose `browser_account` says who is signed in.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = f"""#!{sys.executable} -I
import os, sys, urllib.request
if os.fork():
    os._exit(0)
with open({{record!r}}, "a") as record:
    record.write(sys.argv[1] + "\\n")
with urllib.request.urlopen(sys.argv[1], timeout=10) as page:
    page.read()
"""


class Browser:
    """A browser program in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.program = folder / "browser"
        self._record = folder / "opened"
        self.program.write_text(_PROGRAM.format(record=str(self._record)))
        self.program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The variable that makes this the browser; lay it over the proxy's environment."""
        return {"BROWSER": str(self.program)}

    def visit(self, page: str) -> None:
        """Open a page, as whoever runs the program would; returns before it is followed."""
        subprocess.run([self.program, page], check=True)

    @property
    def opened(self) -> list[str]:
        """Every page that was opened."""
        return self._record.read_text().splitlines() if self._record.exists() else []
