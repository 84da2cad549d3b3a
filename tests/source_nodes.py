"""What a source says, as a tree that a worker makes once.

Tests that read it for all files are in the xdist group "sources": each worker else parses the whole project.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

together = pytest.mark.xdist_group("sources")


@cache
def module(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text(), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the file, as `ast.walk` gives them."""
    return tuple(ast.walk(module(path)))
