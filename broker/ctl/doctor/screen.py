"""The doctor's screen: what is fine side by side, then each problem with its repair, then the count. Pure."""

from collections.abc import Iterator, Sequence

from broker.ctl.doctor.finding import Finding, Level
from broker.ctl.ui.layout import laid_out

MARKS = {Level.FINE: "\N{CHECK MARK}", Level.WARNING: "!", Level.PROBLEM: "\N{BALLOT X}"}
NOTHING = "Nothing is wrong."
COLUMN_CELLS = 48
"""Where repairs begin, and the second of two fine findings."""


def screen(found: Sequence[Finding], cells: int | None = None) -> str:
    """The whole screen for a terminal of so many cells, or for a pipe (None)."""
    return "\n".join([*_fine(found, cells), *_others(found, cells), summary(found)])


def summary(found: Sequence[Finding]) -> str:
    """The last line: how many, and what repairs them at once."""
    problems, warnings = _count(found, Level.PROBLEM), _count(found, Level.WARNING)
    if not problems and not warnings:
        return NOTHING
    counts = [_counted(problems, "problem")] if problems else []
    counts += [_counted(warnings, "warning")] if warnings else []
    fixable = sum(finding.fix is not None for finding in found)
    all_of_them = "it" if problems + warnings == 1 else "them"
    which = all_of_them if fixable == problems + warnings else f"{fixable} of them"
    cure = f" brokerctl doctor --fix repairs {which}." if fixable else ""
    return f"{', '.join(counts)}.{cure}"


def _fine(found: Sequence[Finding], cells: int | None) -> Iterator[str]:
    said = [f" {MARKS[Level.FINE]} {finding.said}" for finding in found if finding.level is Level.FINE]
    while said:
        line = said.pop(0)
        if said and len(line) < COLUMN_CELLS and (cells is None or COLUMN_CELLS + len(said[0]) <= cells):
            line = f"{line:<{COLUMN_CELLS}}{said.pop(0)}"
        yield line


def _others(found: Sequence[Finding], cells: int | None) -> Iterator[str]:
    for level in (Level.PROBLEM, Level.WARNING):
        for finding in found:
            if finding.level is level:
                head = f" {MARKS[level]} "
                yield laid_out(head, finding.said, finding.repair, cells=cells, column=COLUMN_CELLS)


def _count(found: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
