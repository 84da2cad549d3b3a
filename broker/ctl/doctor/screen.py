"""The doctor's screen: what is fine side by side, then each problem with its repair, then the count. Pure."""

from collections.abc import Iterator, Sequence

from broker.ctl.doctor.finding import Finding, Level

MARKS = {Level.FINE: "\N{CHECK MARK}", Level.WARNING: "!", Level.PROBLEM: "\N{BALLOT X}"}
COLUMN_CELLS = 48
"""Where repairs begin, and the second of two fine findings."""


def screen(found: Sequence[Finding]) -> str:
    """The whole screen."""
    return "\n".join([*_fine(found), *_others(found), summary(found)])


def summary(found: Sequence[Finding]) -> str:
    """The last line: how many, and what repairs them at once."""
    problems, warnings = _count(found, Level.PROBLEM), _count(found, Level.WARNING)
    if not problems and not warnings:
        return "Nothing is wrong."
    counts = [_counted(problems, "problem")] if problems else []
    counts += [_counted(warnings, "warning")] if warnings else []
    fixable = sum(finding.fix is not None for finding in found)
    all_of_them = "it" if problems + warnings == 1 else "them"
    which = all_of_them if fixable == problems + warnings else f"{fixable} of them"
    cure = f" brokerctl doctor --fix repairs {which}." if fixable else ""
    return f"{', '.join(counts)}.{cure}"


def _fine(found: Sequence[Finding]) -> Iterator[str]:
    said = [f" {MARKS[Level.FINE]} {finding.said}" for finding in found if finding.level is Level.FINE]
    for number in range(0, len(said), 2):
        left, right = said[number], "".join(said[number + 1 : number + 2])
        yield f"{left:<{COLUMN_CELLS}}{right}".rstrip()


def _others(found: Sequence[Finding]) -> Iterator[str]:
    for level in (Level.PROBLEM, Level.WARNING):
        for finding in found:
            if finding.level is not level:
                continue
            said = f" {MARKS[level]} {finding.said}"
            if finding.repair is None:
                yield said
            elif len(said) < COLUMN_CELLS:
                yield f"{said:<{COLUMN_CELLS}} {finding.repair}"
            else:
                yield said
                yield f"{'':<{COLUMN_CELLS}} {finding.repair}"


def _count(found: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
