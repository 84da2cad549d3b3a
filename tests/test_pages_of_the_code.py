"""The pages about the code name what is there: each file, and each definition that they say it has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.test_architecture import ROOMS

ROOT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md")
FILE = re.compile(r"`((?:broker|client|tests)/[\w/]+\.(?:py|c)|(?:broker|client|tests)/(?:[\w]+/)+)`")
IN_FILE = re.compile(r"`(\w+)`(?:, `\w+` and `\w+`)? (?:in|of) `([\w/]+\.py)`")
BEFORE = re.compile(r"^\d\. `([\w/]+\.py)`: `(\w+)`", re.MULTILINE)


def defined(path: Path) -> set[str]:
    """Names of classes, functions, methods and constants."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {
        node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return named | {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_a_page_names_is_there(page: str) -> None:
    named = FILE.findall((ROOT / page).read_text())

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_definition_that_a_page_names_stands_in_that_file(page: str) -> None:
    text = (ROOT / page).read_text()
    named = [*((path, name) for name, path in IN_FILE.findall(text)), *BEFORE.findall(text)]

    assert named
    assert [(path, name) for path, name in named if name not in defined(ROOT / path)] == []


def test_the_page_of_the_layout_has_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()

    assert [room for room in ROOMS if f"| `broker/{room}/` |" not in page] == []
