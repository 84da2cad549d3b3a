"""A few command lines are read without typer. Whatever is read so means the same to typer."""

from __future__ import annotations

import itertools
import sys
from importlib import import_module
from inspect import signature
from typing import Any

import pytest
from typer.main import get_command

from broker.ctl.app import app_with
from broker.ctl.exec.verb import with_strict_as_option
from broker.ctl.verbs import PLAIN, VERBS, read_plainly

WORDS = [
    "-h",
    "--",
    "--json",
    "--frob",
    "--json=1",
    "-",
    "",
    "a",
    "https://a.example/simple/",
    "--help",
    "-x",
]
COMMAND = get_command(app_with(PLAIN))


def typed(words: list[str]) -> dict[str, Any] | None:
    """The parameters by which typer would call the verb's function, None where it would not."""
    context = COMMAND.make_context("brokerctl", with_strict_as_option(words))
    verb = COMMAND.commands[words[0]]  # type: ignore[attr-defined]
    try:
        return dict(verb.make_context(words[0], with_strict_as_option(words)[1:], parent=context).params)
    except BaseException:  # noqa: BLE001 - a page of help, or a refusal
        return None


def lines() -> list[list[str]]:
    found = []
    for verb, plain in PLAIN.items():
        words = list(dict.fromkeys([*WORDS, *plain.switches, *plain.values]))
        for count in range(4):
            found += [[verb, *some] for some in itertools.product(words, repeat=count)]
    return found


def defaults(place: str) -> dict[str, Any]:
    module, _, function = place.partition(":")
    parameters = signature(getattr(import_module(module), function)).parameters.values()
    return {each.name: None if each.default is each.empty else each.default for each in parameters}


@pytest.mark.parametrize("verb", PLAIN)
def test_what_is_read_plainly_is_what_typer_reads(verb: str) -> None:
    differ = []
    known = defaults(PLAIN[verb].place)
    mine = [words for words in lines() if words[0] == verb]
    for words in mine:
        plainly = read_plainly(words)
        if plainly is None:
            continue
        by_typer = typed(words)
        read = {name: value or None for name, value in (known | plainly[1]).items()}
        if by_typer is None or read != {name: value or None for name, value in by_typer.items()}:
            differ.append((words, plainly[1], by_typer))

    assert differ == []


@pytest.mark.parametrize("verb", PLAIN)
def test_plain_functions_take_what_the_verbs_own_do(verb: str) -> None:
    module, _, function = VERBS[verb][0].partition(":")
    own = signature(getattr(sys.modules.get(module) or import_module(module), function)).parameters

    assert defaults(PLAIN[verb].place).keys() == own.keys()


@pytest.mark.parametrize(
    "line", ["status", "status --short", "get URL", "get URL --json", "exec -- uv sync", "exec --gateway uv"]
)
def test_what_prompts_and_scripts_type_is_read_plainly(line: str) -> None:
    assert read_plainly(line.split()) is not None
