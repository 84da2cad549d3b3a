"""SECURITY.md promises nothing without a test, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT, named_in

PAGE = (ROOT / "SECURITY.md").read_text()


def rows(heading: str) -> list[str]:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]


@pytest.mark.parametrize("heading", ["What is promised", "How it holds up"])
def test_each_promise_names_a_test(heading: str) -> None:
    assert len(rows(heading)) >= 5
    assert [row for row in rows(heading) if not named_in(row)] == []


@pytest.mark.parametrize("heading", ["What is promised", "How it holds up"])
def test_no_promise_stands_twice(heading: str) -> None:
    promises = [
        row.split("|")[2] if heading == "What is promised" else row.split("|")[1] for row in rows(heading)
    ]

    assert [promise for promise in set(promises) if promises.count(promise) > 1] == []


@pytest.mark.parametrize(("path", "test"), sorted(named_in(PAGE), key=str))
def test_each_named_test_is_there(path: str, test: str | None) -> None:
    place = ROOT / path

    assert place.exists()
    assert test is None or re.search(rf"^(async )?def {test}\(", place.read_text(), re.MULTILINE)
