"""Every line that the product can tell people to type is typed by a test, and none names its own command."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.ctl.hint_runners import NOT_TYPED, OF_SCRIPTS, RUNNERS
from tests.ctl.hint_source import ROOT, Hint, hints_of_c, hints_of_module, hints_of_python
from tests.source_nodes import module, together

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = together

PAGES = sorted(
    path
    for place in ("README.md", "SECURITY.md", "docs", "man", "broker/ctl/help_pages.txt")
    for path in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
    if path.suffix in {".md", ".txt", ".yml", ".sh", *(f".{number}" for number in range(1, 9))}
)
ROWS = {**RUNNERS, **OF_SCRIPTS}


@cache
def hints() -> list[Hint]:
    """All of the product's; read when first asked for, which not every worker is."""
    return sorted(hints_of_python())


def lines() -> set[str]:
    return {hint.line for hint in hints()}


def names_of_tests(file: str) -> set[str]:
    return {
        node.name
        for node in module(ROOT / file).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def names_its_own_command(hint: Hint) -> bool:
    """True in the folder or file of that verb. A line with options or more words does something else."""
    words = hint.line.removeprefix("{}").split()
    parts = hint.file.removesuffix(".py").split("/")
    return words[:1] == ["brokerctl"] and len(words) == 2 and words[1] in parts[2:]


def test_every_line_to_type_has_a_test_that_types_it() -> None:
    untyped = [hint for hint in hints() if hint.line not in {*ROWS, *NOT_TYPED}]

    assert untyped == [], "add a test that types it, and a row to tests/ctl/hint_runners.py"


def test_every_row_is_of_a_line_that_is_still_told() -> None:
    assert sorted({*ROWS, *NOT_TYPED} - lines()) == []


@pytest.mark.parametrize("runner", sorted(set(ROWS.values())))
def test_every_test_that_types_a_line_is_there(runner: str) -> None:
    file, _, name = runner.partition("::")

    assert name in names_of_tests(file)


def test_the_native_shim_tells_the_lines_of_the_python_one() -> None:
    python = {line.partition("{")[0].strip() for line in lines()}

    assert [line for line in hints_of_c() if line.partition("{")[0].strip() not in python] == []


TOLD_BY_OTHERS = {"broker/ctl/setup/found_keyrings.py", "broker/ctl/setup/sandbox_refresh.py"}
"""`status`, `add` and `reload` tell the lines of these; tests/ctl/test_own_hints.py runs the verbs."""


def test_no_line_names_the_command_that_tells_it() -> None:
    own = [hint for hint in hints() if names_its_own_command(hint)]

    assert [hint for hint in own if hint.file not in TOLD_BY_OTHERS] == []


OWN_VERBS = re.compile(r"\b(?:systemctl --user (?:start|stop|restart)|launchctl (?:kickstart|start|stop))\b")
"""What brokerctl has verbs for, which work without a service manager, too."""


def test_no_line_runs_a_module_of_the_folder_it_is_typed_in() -> None:
    """A project's, where most lines are typed: `python -m` looks there first. pip's own line is of a Python
    that may be older than -P (3.11), and of whom runs pip there anyway.
    """
    lines = [hint for hint in hints() if re.search(r"(?<! -P)(?<! -I) -m ", hint.line)]

    assert [hint.line for hint in lines] == ["python -m pip install --upgrade pip"]


def test_a_broker_that_does_not_run_has_one_line_that_starts_it() -> None:
    assert "brokerctl start" in lines()
    assert [line for line in sorted(lines()) if OWN_VERBS.search(line)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_service_manager_do_what_brokerctl_does(page: Path) -> None:
    assert OWN_VERBS.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_verb_of_the_service_manager_is_noticed(verb: str) -> None:
    hinted = hints_of_module(f'log.error("lost; run: systemctl --user {verb} token-broker.socket")')

    assert [OWN_VERBS.search(line) is not None for line, _ in hinted] == [True]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('raise Failed("no", hint="frob --now")', ["frob --now"]),
        (
            'raise Failed("no", hint=f"az login {t}" if t else "az login")',
            ["az login", "az login {}"],
        ),
        ('say(f"it failed ({why}); run: brokerctl logs")', ["brokerctl logs"]),
        ('yield problem("check", "said so", "frob")', ["frob"]),
        ('yield warning("check", "said so", repair=f\'url = "{u}"\')', ['url = "{}"']),
        ('LINE = "chmod 600 FILE"', ["chmod 600 FILE"]),
        ('def f():\n    """run: not a line, but a docstring"""', []),
        ('say("az is signed out")', []),
        ('said = f"{ADD_TO}its [[feed]]: secret = {x}"', ["add to its [[feed]]: secret = {}"]),
    ],
)
def test_a_line_is_found_wherever_it_is_written(source: str, lines: list[str]) -> None:
    assert sorted(line for line, _ in hints_of_module(source)) == lines
