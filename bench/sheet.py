"""Sheets: a table of ratios with what was aimed at, as the screen and `RESULTS.md` show it.

An absolute time is a machine's own business; a ratio is not. Each sheet is of one run, all its rivals in it.
"""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = """# What a look-up costs

Made by `python -m bench` on {machine}: ratios of medians, with quartiles.
All that one table compares was measured in one run, in rounds that all of it shares.
"""


class Ratio(NamedTuple):
    """A median in some unit, with the quartiles in the same."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{short(self.middle)} ({short(self.low)} .. {short(self.high)})"


class Aim(NamedTuple):
    """A ratio that must not be above `most`."""

    what: str
    ratio: float
    most: float

    @property
    def is_met(self) -> bool:
        """Whether it is not above."""
        return self.ratio <= self.most


@dataclass
class Sheet:
    """One table: `rows` under `header`, the aims, and what else a reader has to know."""

    title: str
    header: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"## {self.title}", *self.notes]
        if self.rows:
            parts.append(_aligned([self.header, *self.rows]))
        if self.aims:
            marks = [
                (aim.what, short(aim.ratio), short(aim.most), "met" if aim.is_met else "**missed**")
                for aim in self.aims
            ]
            parts.append(_aligned([("aim", "ratio", "at most", ""), *marks]))
        return "\n\n".join(parts) + "\n"


def ratio(samples: Sequence[float], unit: float) -> Ratio:
    """The median and quartiles of at least one sample, in the unit."""
    low, middle, high = statistics.quantiles([*samples] * (1 if len(samples) > 1 else 2), n=4)
    return Ratio(low / unit, middle / unit, high / unit)


def short(number: float) -> str:
    """The number with three digits, or with all of its whole ones."""
    if number >= 100:  # noqa: PLR2004 - a third digit is the last whole one
        return f"{number:,.0f}"
    return f"{number:.3g}" if number < 1 else f"{number:.2f}"


def keep(sheet: Sheet, path: Path = RESULTS) -> None:
    """Put the sheet into the file of results, in place of the one with its title."""
    text = path.read_text() if path.exists() else ""
    kept = {part.split("\n", 1)[0]: part for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]}
    kept[f"## {sheet.title}"] = str(sheet)
    head = HEAD.format(machine=_machine())
    path.write_text("\n\n".join(part.rstrip() for part in (head, *kept.values())) + "\n")


def _machine() -> str:
    where = f"{platform.system()} on {platform.machine()}"
    return f"{where} with {os.cpu_count()} processors and Python {platform.python_version()}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown that reads as well as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = "|".join(
        f":{'-' * (width + 1)}" if number == 0 else f"{'-' * (width + 1)}:"
        for number, width in enumerate(widths)
    )
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])
