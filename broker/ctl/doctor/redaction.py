"""The words of a report that may leave the machine: token-broker's own, and nothing that came from outside.

A finding is made of our own words and of names, paths and addresses that it found here. Which is which does
not depend on the finding: a word that stands in no text of token-broker's sources came from outside, and so
did each name that the context knows. Either becomes a pseudonym, the same one throughout the page.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parents[2]
"""Where our own words stand: the package `broker`, as it is installed."""

_WORD = re.compile(r"[^\s\"'`(),;<>\[\]{}|·…✓✗!?]+")
"""Addresses, paths and `name=value` are one word at first."""
_PART = re.compile(r"[^:=@]+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}([.,-][0-9]{1,6})?%?|AADSTS[0-9]+")
"""Counts, times, lines and Entra's error codes: too short for a project's or a person's number."""
_OF_A_SENTENCE = ":.,"
_SHAPES = (
    ("url", re.compile(r".*://.*")),
    ("account", re.compile(r".+@.+")),
    ("path", re.compile(r".*[/\\].*")),
    ("host", re.compile(r"\[?[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*\]?|.*[\w-]\.[\w-].*")),
)
"""By shape, where nothing else is known of a word; the first that fits."""


class Redactor:
    """`names` are words that are known to come from outside, with what each is, such as `feed` or `host`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._kinds = {name.lower(): kind for name, kind in names.items() if name}
        self._pseudonyms: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        longest_first = sorted(self._kinds, key=len, reverse=True)
        self._known = re.compile(
            "|".join(rf"(?<![\w.-]){re.escape(name)}(?![\w-])" for name in longest_first) or r"(?!)",
            re.IGNORECASE,
        )

    def redacted(self, text: str) -> str:
        """The text in token-broker's own words; its line breaks and blanks stay."""
        named = self._known.sub(lambda found: self._pseudonym(found[0], self._kinds[found[0].lower()]), text)
        return _WORD.sub(lambda found: self._word(found[0]), named)

    def _word(self, word: str) -> str:
        core = word.strip(_OF_A_SENTENCE)
        if not core or self._is_own(core):
            return word
        before, _, after = word.partition(core)
        shape = next((name for name, shape in _SHAPES if shape.fullmatch(core)), None)
        if shape is not None:
            return f"{before}{self._pseudonym(core, shape)}{after}"
        return f"{before}{_PART.sub(lambda part: self._part(part[0]), core)}{after}"

    def _part(self, part: str) -> str:
        return part if self._is_own(part) else self._pseudonym(part, "name")

    def _is_own(self, word: str) -> bool:
        return _NUMBER.fullmatch(word) is not None or word in own_words() or word in self._pseudonyms.values()

    def _pseudonym(self, word: str, kind: str) -> str:
        known = self._pseudonyms.get(word.lower())
        if known is None:
            self._counts[kind] += 1
            known = self._pseudonyms[word.lower()] = f"{kind}-{self._counts[kind]}"
        return known


def own_words() -> frozenset[str]:
    """Every word in the texts of token-broker's own sources, but for docstrings. Takes a second at first."""
    return _words_below(SOURCES)


@cache
def _words_below(folder: Path) -> frozenset[str]:
    words: set[str] = set()
    for path in folder.rglob("*.py"):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        words.update(_words_of(tree))
    return frozenset(words)


def _words_of(tree: ast.Module) -> Iterable[str]:
    docstrings: set[int] = set()
    for node in ast.walk(tree):  # which gives what is within a node after it
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, str) or id(node) in docstrings:
                continue
            for found in _WORD.finditer(node.value):
                word = found[0].strip(_OF_A_SENTENCE)
                yield word
                yield from _PART.findall(word)
        elif (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        ):
            docstrings.add(id(node.body[0].value))
