from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from unittest import mock

import pytest

from broker.ctl import help_page
from broker.ctl.app import app_with
from broker.ctl.command_error import ExitCode
from broker.ctl.help_page import MARK, stored_pages
from broker.ctl.verbs import VERBS

PAGES = ["", *VERBS]


def made(verb: str, columns: int = 80) -> str:
    words = [verb, "--help"] if verb else ["--help"]
    page = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": str(columns)}),
        contextlib.redirect_stdout(page),
        contextlib.suppress(SystemExit),
    ):
        app_with(VERBS)(words, prog_name="brokerctl")
    return page.getvalue()


@pytest.mark.parametrize("verb", PAGES)
def test_stored_help_is_what_typer_prints(verb: str) -> None:
    assert stored_pages()[verb] == made(verb), "run: python -m tests.ctl.test_help_pages"


@pytest.mark.parametrize("verb", ["status", "explain", "login"])
def test_help_that_names_exit_codes_names_each_that_a_running_or_missing_broker_gives(verb: str) -> None:
    (told,) = re.findall(r"Exit code: ([^.]*)\.", " ".join(made(verb).split()))

    assert [int(code) for code in re.findall(r"\d", told)] == [
        ExitCode.FINE,
        ExitCode.CANNOT_BE_HAD,
        ExitCode.NOT_RUNNING,
        ExitCode.NEEDS_A_PERSON,
    ]


def test_no_verb_is_cut_off_in_a_narrow_terminal() -> None:
    page = " ".join(made("", columns=50).split())

    assert "discover List the feeds that are named here, and how to add new ones. add Add" in page
    assert "..." not in page.partition("Commands:")[2]


@pytest.mark.parametrize("columns", [40, 51])
@pytest.mark.parametrize("verb", ["", "status", "why"])
def test_help_stays_within_a_narrow_terminal(verb: str, columns: int) -> None:
    assert [line for line in made(verb, columns).splitlines() if len(line) > columns] == []


if __name__ == "__main__":
    stored = Path(help_page.__file__).with_name("help_pages.txt")
    stored.write_text("".join(f"{MARK}{verb}\n{made(verb)}" for verb in PAGES), encoding="utf-8")
