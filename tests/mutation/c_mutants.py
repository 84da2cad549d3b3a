"""Mutants of C functions: one small change each, of the kinds that people make by mistake.

No parser of C: a function reaches from the line that names it to the first `}` at a line's start, which is
how the house writes C. Texts and comments are left alone. Next: `test_shim.py`, which tries to kill them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<skipped>/\*.*?\*/|"(?:\\.|[^"\\])*"|->)
    |(?P<character>'(?:\\.[0-9a-f]*|[^'\\])')
    |(?P<number>\b(?:0x[0-9a-f]+|[0-9]+)\b)
    |(?P<word>\b(?:true|false|break|continue)\b)
    |(?P<operator>==|!=|<=|>=|<<|>>|&&|\|\||\+\+|--|\+=|-=|\*=|/=|[<>+\-!](?!=)|&(?=\s))
    """,
    re.VERBOSE | re.DOTALL,
)

_OTHERS = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "*=": ("/=",),
    "/=": ("*=",),
    ">>": ("<<",),
    "<<": (">>",),
    "&": ("|",),
    "!": ("",),
    "true": ("false",),
    "false": ("true",),
    "break": ("continue",),
    "continue": ("break",),
}
"""What stands for what; `++` and `--` go with their statement, below."""

_STATEMENT = re.compile(
    r"^\t+(?!return|break|continue|static|const|[A-Za-z_]+ \*?[a-z_]+( =|,|;))[a-z*+-][^{}:\n]*;$",
    re.MULTILINE,
)
"""A statement on a line of its own that is no declaration and does not leave: it is taken out whole."""


@dataclass(frozen=True)
class Mutant:
    """A changed source; `change` shows the line before and after, `function` where it is."""

    function: str
    change: str
    source: str


def mutants(source: str, function: str) -> Iterator[Mutant]:
    """Every mutant of one function, in the order of its text. Raises ValueError where there is none such."""
    begins = re.search(rf"^[A-Za-z].*\b{function}\(.*\)$", source, re.MULTILINE)
    if begins is None:
        raise ValueError(f"no function {function} in this source")
    start, end = begins.end(), source.index("\n}", begins.end())
    for token in _TOKEN.finditer(source, start, end):
        for other in _instead_of(token):
            yield _mutant(source, function, token.span(), other)
    for statement in _STATEMENT.finditer(source, start, end):
        yield _mutant(source, function, statement.span(), ";")


def _instead_of(token: re.Match[str]) -> tuple[str, ...]:
    text = token.group()
    match token.lastgroup:
        case "number":
            return (f"({text} + 1)", f"({text} - 1)")
        case "character":
            return (f"({text} + 1)", f"({text} - 1)")
        case "word" | "operator":
            return _OTHERS.get(text, ())
    return ()


def _mutant(source: str, function: str, span: tuple[int, int], other: str) -> Mutant:
    start, end = span
    changed = source[:start] + other + source[end:]
    first, last = source.rfind("\n", 0, start) + 1, source.index("\n", end)
    before, after = source[first:last], changed[first : last + len(changed) - len(source)]
    return Mutant(function, f"{' '.join(before.split())}  ->  {' '.join(after.split())}", changed)
