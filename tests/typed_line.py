"""Types a line that the product told into a shell, as a person would."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_S = 60


def type_line(
    line: str | None, environ: Mapping[str, str] | None = None, *, stdin: str = "", then: str = ""
) -> subprocess.CompletedProcess[str]:
    """How the shell ended that was given the line, and `then` after it. A hint of None was none to type."""
    assert line, "nothing was told to type"
    return subprocess.run(
        ["/bin/sh", "-c", f"{line}\n{then}"],
        env=dict(os.environ if environ is None else environ),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
