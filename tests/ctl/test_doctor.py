"""`brokerctl doctor` as a person runs it: the screen, the object, the repairs, the page for a colleague."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.doctor.finding import Finding, Level, fine, problem, warning
from broker.ctl.doctor.screen import screen, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.clinic import Clinic
    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]


@pytest.fixture
def home(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with uv, without a shim, and with an env.toml that everybody can read."""
    for name, value in clinic.environ.items():
        monkeypatch.setenv(name, value)
    clinic.program("uv")
    clinic.write("~/.config/token-broker/env.toml", "", 0o644)
    monkeypatch.chdir(clinic.project)
    return clinic.home


def test_screen_shows_what_is_fine_side_by_side_and_problems_with_their_repairs() -> None:
    found = [
        fine("a", "broker answers in 0.9 ms"),
        warning("w", "~/.netrc has a.example: uv takes it before any keyring", "remove line 4 of ~/.netrc"),
        fine("b", "shim is the first keyring on PATH"),
        problem("p", "uv: keyring provider is off", "brokerctl doctor --fix", lambda: None),
        fine("c", "clock agrees"),
    ]

    assert screen(found).splitlines() == [
        " ✓ broker answers in 0.9 ms                      ✓ shim is the first keyring on PATH",
        " ✓ clock agrees",
        " ✗ uv: keyring provider is off                   brokerctl doctor --fix",
        " ! ~/.netrc has a.example: uv takes it before any keyring",
        "                                                 remove line 4 of ~/.netrc",
        "1 problem, 1 warning. brokerctl doctor --fix repairs 1 of them.",
    ]


def test_screen_of_a_narrow_terminal_breaks_sentences_and_never_commands() -> None:
    command = 'url = "https://VssSessionToken@pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"'
    found = [
        fine("a", "broker answers in 0.9 ms"),
        fine("b", "shim is the first keyring on PATH"),
        problem("p", 'index "corp" has no user name and no authenticate: uv will never ask', command),
        problem("q", "uv: keyring provider is off", "brokerctl doctor --fix", lambda: None),
    ]

    assert screen(found, 60).splitlines()[:-1] == [
        " ✓ broker answers in 0.9 ms",
        " ✓ shim is the first keyring on PATH",
        ' ✗ index "corp" has no user name and no authenticate: uv',
        "   will never ask",
        f"      {command}",
        " ✗ uv: keyring provider is off",
        "      brokerctl doctor --fix",
    ]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([], "Nothing is wrong."),
        ([Level.FINE], "Nothing is wrong."),
        ([Level.WARNING], "1 warning."),
        ([Level.PROBLEM, Level.PROBLEM], "2 problems."),
    ],
)
def test_last_line_counts(levels: list[Level], said: str) -> None:
    assert summary([Finding("x", level, "x") for level in levels]) == said


def test_problems_are_exit_1_and_are_all_told(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("doctor")

    assert ended.exit_code == 1
    assert "✗ no keyring is on PATH" in ended.stdout
    assert "✗ uv: keyring provider is off" in ended.stdout
    assert "~/.config/token-broker/env.toml can be read by others" in ended.stdout
    assert home.exists()


def test_fix_repairs_what_is_safe_and_says_what_is_left(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("doctor", "--fix")

    assert "repaired: uv: keyring provider is off" in ended.stdout
    assert "repaired: ~/.config/token-broker/env.toml can be read by others" in ended.stdout
    assert "1 problem, 1 warning.\n" in ended.stdout
    assert (home / ".config/uv/uv.toml").read_text() == 'keyring-provider = "subprocess"\n'


def test_fix_that_fails_does_not_name_itself(brokerctl: Brokerctl, home: Path) -> None:
    (home / ".config/uv").write_text("no folder")

    ended = brokerctl("doctor", "--fix")

    assert "uv: keyring provider is off: not repaired" in ended.stderr
    left = next(line for line in ended.stdout.splitlines() if "uv: keyring provider is off" in line)
    assert left.split("  ")[-1].strip() == "brokerctl setup"


def test_what_the_fix_did_is_undone_by_teardown(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("doctor", "--fix")

    brokerctl("teardown")

    assert not (home / ".config/uv").exists()


@pytest.mark.usefixtures("home")
def test_object_has_stable_keys(brokerctl: Brokerctl) -> None:
    told = json.loads(brokerctl("doctor", "--json").stdout)

    assert set(told) == {"findings", "problems", "warnings"}
    assert (told["problems"], told["warnings"]) == (3, 1)
    assert {frozenset(finding) for finding in told["findings"]} == {
        frozenset({"check", "level", "said", "repair", "fixable"})
    }


def test_report_tells_neither_the_home_nor_the_person(brokerctl: Brokerctl, home: Path) -> None:
    page = brokerctl("doctor", "--report").stdout

    assert page.startswith("token-broker ")
    assert "Python" in page
    assert str(home) not in page


def test_two_forms_at_once_are_refused(brokerctl: Brokerctl) -> None:
    assert brokerctl("doctor", "--json", "--report").exit_code == 2
