from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.entry import run
from broker.ctl.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(brokerctl: Brokerctl, verb: str) -> None:
    ended = brokerctl(verb, "--help")

    assert ended.exit_code == 0
    assert f"Example:  brokerctl {verb}" in ended.stdout


def test_help_names_every_verb(brokerctl: Brokerctl) -> None:
    listed = brokerctl("--help").stdout

    assert [verb for verb in VERBS if f"  {verb}  " not in listed] == []


def test_version_is_printed(brokerctl: Brokerctl) -> None:
    ended = brokerctl("--version")

    assert ended.exit_code == 0
    assert ended.stdout.startswith("token-broker ")


@pytest.mark.parametrize("words", [("frobnicate",), ("get",), ("status", "--loud"), ("forget", "a", "b")])
def test_what_makes_no_sense_is_exit_2(brokerctl: Brokerctl, words: tuple[str, ...]) -> None:
    assert brokerctl(*words).exit_code == 2


def test_a_defect_is_one_line_without_a_traceback(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("secret word")

    monkeypatch.setattr("broker.ctl.api_client.read", broken)

    ended = brokerctl("status", "--short")

    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1
    assert "defect" in ended.stderr
    assert "secret word" not in ended.stderr


def test_a_defect_of_exec_is_not_taken_for_the_commands_code(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ctl.exec.private_run.private_broker", None)

    assert brokerctl("exec", "true").exit_code == 125


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("exec", "--gateway=nonsense", "true"), "token-broker: write --gateway or --gateway=strict\n"),
        (("exec", "--allow"), "'--allow' requires an argument"),
        (("exec", "--github-env=1"), "'--github-env' does not take a value"),
        (("why", "--json=1", "true"), "'--json' does not take a value"),
    ],
)
def test_options_of_exec_and_why_that_make_no_sense_are_not_taken_for_the_commands_code(
    brokerctl: Brokerctl, words: tuple[str, ...], said: str
) -> None:
    ended = brokerctl(*words)

    assert ended.exit_code == 125
    assert said in ended.stderr


def test_what_a_terminal_would_obey_is_escaped_in_the_one_line(brokerctl: Brokerctl) -> None:
    ended = brokerctl("discover", "/no\n\x1b[1msuch")

    assert ended.stderr == "token-broker: /no\\n\\x1b[1msuch is no directory\n"


def test_no_verb_is_cut_off_in_the_list_of_verbs(brokerctl: Brokerctl) -> None:
    listed = brokerctl("--help").stdout.partition("Commands:")[2]

    assert "discover" in listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_ctrl_c_before_a_verb_has_begun_is_exit_130_without_a_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        run(interrupted)

    assert repr(ended.value) == "SystemExit(<ExitCode.INTERRUPTED: 130>)"
    assert capfd.readouterr() == ("", "")
