"""Every line to type that the product can print, read from its source: Python's by its syntax tree, C's by
its string literals. A piece that is filled in at run time is `{}` here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from broker.core.failures import ADD_TO
from tests.source_nodes import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
SHIM_C = ROOT / "client/keyring_shim.c"
PROGRAMS = {
    *("aws", "az", "azd", "gcloud", "jf"),
    *("brokerctl", "brokerd", "docker", "pip", "pipx", "python", "python3", "uv", "wsl"),
    *("cat", "cd", "chmod", "crontab", "df", "export", "groupadd", "id", "kill", "ln", "ls", "mkdir", "mv"),
    "${EDITOR:-vi}",
    *("launchctl", "loginctl", "ps", "rm", "sh", "sudo", "systemctl", "touch", "umask", "unset"),
}
"""The first words of lines to type. A hint that begins with another one is found by where it stands."""

SENTENCES = {
    *(
        "and",
        "answers",
        "asks",
        "bring",
        "cannot",
        "did",
        "does",
        "ended",
        "ends",
        "got",
        "has",
        "is",
        "lost",
    ),
    *("may", "needs", "of", "or", "runs", "took", "uses", "who"),
}
"""A second word of these makes a sentence about a program, not a line for a shell."""

FINDINGS, HINTS = {"problem", "warning"}, {"hint", "repair", "cure"}
RUN = re.compile(r"\brun: (.+)")
C_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


@dataclass(frozen=True, slots=True, order=True)
class Hint:
    """A line to type, with `{}` where it is filled in, and where it stands."""

    line: str
    file: str
    number: int


def hints_of_python(folder: Path = ROOT) -> Iterator[Hint]:
    """The lines in all modules of both distributions."""
    for part, pattern in (("broker", "**/*.py"), ("client", "token_broker_*.py")):
        for file in sorted((folder / part).glob(pattern)):
            for line, number in _hints_among(nodes(file)):
                yield Hint(line, str(file.relative_to(folder)), number)


def hints_of_c(source: str | None = None) -> Iterator[str]:
    """The commands of the native shim; neighbouring literals with values between them are one line."""
    text = SHIM_C.read_text(encoding="utf-8") if source is None else source
    for literal in C_LITERAL.findall(text):
        for told in RUN.findall(literal):
            yield told.strip().replace(r"\"", '"')


def hints_of_module(source: str) -> Iterator[tuple[str, int]]:
    """Each line in a module's source, and the number of the source's line."""
    yield from _hints_among(tuple(ast.walk(ast.parse(source))))


def _hints_among(module: Sequence[ast.AST]) -> Iterator[tuple[str, int]]:
    aside = _parts_of_others(module)
    placed = set(_placed(module))
    for node in module:
        text = None if id(node) in aside else text_of(node)
        if text is None:
            continue
        told = RUN.search(text)
        line = told[1] if told else text
        if told or id(node) in placed or _is_typed(line):
            line = " ".join(line.split())
            if len(line) > 2 and line not in {"run: {}", "{}"}:
                yield line, node.lineno  # type: ignore[attr-defined]


def text_of(node: ast.AST) -> str | None:
    """A literal's text; the parts of an f-string that are not literal are `{}`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_part(value) for value in values)
        case _:
            return None


def _part(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.Name(id="ADD_TO")):
            return ADD_TO
        case _:
            return "{}"


def _is_typed(text: str) -> bool:
    words = text.removeprefix("{}").split()
    known = len(words) > 1 and words[0] in PROGRAMS and words[1] not in SENTENCES
    return (known and "; run" not in text) or (text.startswith(ADD_TO) and len(text) > len(ADD_TO))


def _placed(module: Sequence[ast.AST]) -> Iterator[int]:
    """The literals that stand where a hint is expected, whatever they begin with."""
    for call in (node for node in module if isinstance(node, ast.Call)):
        roots = [keyword.value for keyword in call.keywords if keyword.arg in HINTS]
        if isinstance(call.func, ast.Name) and call.func.id in FINDINGS:
            roots += call.args[2:3]
        for root in roots:
            yield from map(id, _results(root))


def _results(root: ast.expr) -> Iterator[ast.expr]:
    """The expressions that may be the value of `root`: not a condition, not an argument."""
    match root:
        case ast.IfExp(body=body, orelse=orelse):
            yield from _results(body)
            yield from _results(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _results(value)
        case _:
            yield root


def _parts_of_others(module: Sequence[ast.AST]) -> set[int]:
    """Docstrings, and the pieces of f-strings and of annotations."""
    found: set[int] = set()
    for node in module:
        match node:
            case ast.Expr(value=ast.Constant() as text):
                found.add(id(text))
            case ast.JoinedStr():
                found |= {
                    id(part) for part in ast.walk(node) if part is not node and isinstance(part, ast.Constant)
                }
            case _:
                pass
    return found
