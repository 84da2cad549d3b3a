"""The developers' pages say what is so: files, functions, rooms, rules and arrows, checked on the source.

A page names a file as `broker/core/feeds.py`, and what it defines as `broker/core/feeds.py::FeedTable.match`.
`python -m tests.test_architecture_page`, typed at the root of the repository, prints today's arrows.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.source_nodes import module, together
from tests.test_architecture import BROKER, ROOMS, ROOT, RULES, imported

pytestmark = together

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
DRAWING = (ROOT / "docs" / "architecture.svg").read_text()
PAGES = ("docs/architecture.md", "docs/glossary.md", "docs/provider.md", "CONTRIBUTING.md")
OTHER_PAGES = ("README.md", "SECURITY.md", "client/README.md", "docs/containers.md", "docs/fleet.md")

NAMED = re.compile(
    r"`((?:(?:broker|client|tests|bench|docs|systemd|launchd|kubernetes|\.ci|\.github)/[\w./-]*"
    r"|[\w.-]+\.(?:py|md|toml|lock|c|svg)))(?:::([\w.]+))?`"
)
"""A file or folder of ours in backquotes, and what it defines."""

LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def arrows() -> set[tuple[str, str]]:
    """Which room imports which, at run time, anywhere in its files."""
    return {
        (room, name.split(".")[1])
        for room in ROOMS
        for path in (BROKER / room).rglob("*.py")
        for name, _ in imported(path)
        if name.startswith("broker.") and name.split(".")[1] != room
    }


def named_in_pages() -> list[tuple[str, str, str | None]]:
    return [
        (page, path, name or None)
        for page in PAGES
        for path, name in sorted(set(NAMED.findall((ROOT / page).read_text())))
    ]


@cache
def defined_in(path: Path) -> set[str]:
    """Every function, class, method and assigned name of a source, as `Class.method`."""
    if path.suffix == ".c":
        return set(re.findall(r"^(?:static [\w *]*?|int )(\w+)\(", path.read_text(), re.MULTILINE))
    if path.suffix != ".py":
        return set()
    return set(_defined(module(path), ""))


def _defined(node: ast.AST, above: str) -> list[str]:
    found = []
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.append(above + name)
            case ast.ClassDef(name=name):
                found += [above + name, *_defined(child, f"{above}{name}.")]
            case ast.Assign(targets=targets):
                found += [above + target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.append(above + name)
    return found


def rows_below(heading: str) -> list[list[str]]:
    """The cells of each row of the first table below a heading of the page."""
    section = re.split(rf"^##+ {re.escape(heading)}\n", ARCHITECTURE, flags=re.MULTILINE)[1]
    section = re.split(r"^##+ ", section, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize(("page", "path", "name"), named_in_pages())
def test_each_file_and_function_that_a_page_names_is_there(page: str, path: str, name: str | None) -> None:
    place = ROOT / path

    assert place.exists(), f"{page} names {path}, which is not there"
    assert name is None or name in defined_in(place), f"{page} names {name}, which {path} does not define"


@pytest.mark.parametrize("page", PAGES)
def test_each_page_that_is_linked_is_there(page: str) -> None:
    linked = LINK.findall((ROOT / page).read_text())

    assert [link for link in linked if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_each_file_that_another_page_names_by_its_folder_is_there(page: str) -> None:
    named = {path for path, _ in NAMED.findall((ROOT / page).read_text()) if "/" in path}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_readmes_test_command_is_the_one_of_contributing() -> None:
    (command,) = re.findall(r"^python3 -m venv .*pytest$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert command in (ROOT / "CONTRIBUTING.md").read_text().splitlines()


def test_each_room_has_a_row_that_says_what_it_may_import() -> None:
    rows = {cells[0].strip("`"): cells for cells in rows_below("The rooms")}

    assert set(rows) == set(ROOMS)
    for room in set(ROOMS) & set(RULES):
        rule = RULES[room]
        assert words(rows[room][2]) == set(rule.ours) - {room}, room
        assert rule.theirs is not None, room
        assert words(rows[room][3]) == set(rule.theirs), room


def test_each_exception_of_a_file_is_told_with_what_it_may_import() -> None:
    rows = {cells[0].strip("`").removeprefix("broker/"): cells for cells in rows_below("Exceptions")}

    assert set(rows) == {part for part in RULES if "/" in part}
    for part, cells in rows.items():
        rule = RULES[part]
        assert rule.theirs is not None, part
        assert words(cells[1]) == {*rule.ours, *rule.theirs}, part


def test_drawing_has_the_arrows_that_the_imports_have() -> None:
    drawn = {tuple(name.split("-")) for name in re.findall(r'class="arrow" id="([a-z]+-[a-z]+)"', DRAWING)}
    boxes = set(re.findall(r'<text class="name"[^>]*>(\w+)</text>', DRAWING))

    assert drawn == arrows(), "draw docs/architecture.svg anew: python -m tests.test_architecture_page"
    assert boxes == set(ROOMS)


@pytest.mark.parametrize(
    "walk",
    [
        "A look-up, step by step",
        "The same look-up, when the answer takes a fetch",
        "A renewal, step by step",
    ],
)
def test_each_stop_of_a_walk_is_one_file_that_the_walk_does_not_come_back_to(walk: str) -> None:
    stops = [NAMED.findall(cells[1]) for cells in rows_below(walk)]

    assert [len(stop) for stop in stops] == [1] * len(stops)
    files = [path for ((path, name),) in stops if name]
    assert len(files) == len(stops) == len(set(files))


def test_each_logger_that_the_page_names_is_one_that_the_daemon_writes_to() -> None:
    written = {
        name
        for path in BROKER.rglob("*.py")
        for name in re.findall(r'getLogger\("(broker\.[\w.]+)"\)', path.read_text())
    }
    (row,) = (cells for cells in rows_below("What crosses an upgrade") if cells[0] == "logger names")

    named = {word for word in words(row[1]) if "/" not in word}
    assert named
    assert named <= written


if __name__ == "__main__":
    for room in ROOMS:
        below = " ".join(sorted(to for source, to in arrows() if source == room))
        sys.stdout.write(f"{room} -> {below or '(no room)'}\n")
