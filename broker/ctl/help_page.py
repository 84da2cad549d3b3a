"""The help of brokerctl and of its verbs, stored as typer prints it: making it loads every verb.

`help_pages.txt` holds the pages of a terminal of 80 columns or more; a test makes them anew and compares.
"""

from __future__ import annotations

import os
import sys

from broker.ctl.verbs import VERBS

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 80
"""What typer wraps at, at most; a narrower terminal's page is made by it."""

MARK = "\f"
"""Before each page's name."""


def help_page(words: Sequence[str]) -> str | None:
    """What these words print, where they ask for the help of brokerctl or of a verb, or for the version."""
    if words == ["--version"]:
        from broker.host.installation import installed_version  # noqa: PLC0415 - for this only

        return f"token-broker {installed_version() or '(not installed)'}\n"
    *verb, option = words or ("",)
    if option not in {"--help", "-h"} or len(verb) > 1 or not set(verb) <= VERBS.keys() or _width() < COLUMNS:
        return None
    return stored_pages().get(" ".join(verb))


def stored_pages() -> dict[str, str]:
    """The pages by verb; brokerctl's own is that of no verb."""
    file = f"{__file__.rpartition(os.sep)[0]}/help_pages.txt"
    try:
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - `pathlib` costs more than all the rest
            pages = opened.read().split(MARK)[1:]
    except OSError:
        return {}
    return {name: page for name, _, page in (each.partition("\n") for each in pages)}


def _width() -> int:
    """The terminal's columns, as shutil.get_terminal_size has them."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named) > 0:
        return int(named)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or COLUMNS  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return COLUMNS
