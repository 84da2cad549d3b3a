"""What is not a feed's goes to the next `keyring`, once, and never round in circles."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Session, installed
from tests.contract.scripted_broker import ScriptedBroker, answers, credential
from tests.contract.shims import RUN_LIMIT_S, Shim, compiler

URL = "https://feed.example/simple/"
NOBODY_ELSE = "only look-ups are answered here, and no other keyring is on PATH; run: pip install keyring"
HOW_TO_GET = (
    "a look-up is `get SERVICE USERNAME` or `--mode creds get SERVICE`, and no other keyring is on PATH; "
    "run: pip install keyring"
)


def other_keyring(folder: Path, name: str = "keyring") -> Path:
    """Put a `keyring` into `folder` that tells what it was given and exits with 7 or, for a look-up, 0."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "{folder.name}:$TOKEN_BROKER_PASSED:$*"\n')
    program.chmod(0o755)
    return program


def ours(folder: Path, program: Path) -> Path:
    """Put the shim into `folder` under the name `keyring`, as `brokerctl setup` does."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "keyring"
    link.symlink_to(program)
    return link


@pytest.fixture
def no_feed(broker: ScriptedBroker) -> ScriptedBroker:
    return broker.will(answers(404, "no feed\n"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", URL, "Fred"],
        ["--mode=creds", "--output=json", "get", "poetry-repository-x"],
        ["set", "a b", "c"],
        ["--list-backends"],
        ["get", URL],
    ],
    ids=" ".join,
)
def test_next_keyring_gets_the_same_arguments(
    shim: Shim, no_feed: ScriptedBroker, place: Path, arguments: list[str]
) -> None:
    assert no_feed
    other_keyring(place / "next")

    ended = shim(*arguments, PATH=f"{place}/next")

    assert ended.stdout.decode() == f"next:1:{' '.join(arguments)}\n"
    assert (ended.code, ended.stderr) == (0, "")


ADD = f"no feed has this address; run: brokerctl add {URL}"
OTHER_NAME = "feed art answers jane, the URL says __token__"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (ADD, ADD),
        (OTHER_NAME, OTHER_NAME),
        ("no feed has this address", None),
        ("az is not installed; run: brokerctl doctor", None),
    ],
)
def test_address_of_a_kind_of_feed_is_told_where_there_is_nobody_else(
    shim: Shim, broker: ScriptedBroker, body: str, told: str | None
) -> None:
    broker.will(answers(404, f"{body}\n"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (1, b"")
    assert ended.stderr == ("" if told is None else f"token-broker: {told}\n")


@pytest.mark.parametrize("body", [ADD, OTHER_NAME])
def test_address_of_a_kind_of_feed_is_another_keyrings_where_there_is_one(
    shim: Shim, broker: ScriptedBroker, place: Path, body: str
) -> None:
    broker.will(answers(404, f"{body}\n"))
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert (ended.code, ended.stderr) == (0, "")


def test_next_keyring_has_our_standard_input(shim: Shim, place: Path) -> None:
    other_keyring(place / "next").write_text('#!/bin/sh\nread -r line\necho "$line"\n')

    ended = shim("set", "service", "Fred", stdin=b"s3cret\n", PATH=f"{place}/next")

    assert ended.stdout == b"s3cret\n"


def test_exit_code_of_the_next_keyring_is_ours(shim: Shim, place: Path) -> None:
    other_keyring(place / "next").write_text("#!/bin/sh\nexit 7\n")

    ended = shim("diagnose", PATH=f"{place}/next")

    assert ended.code == 7


CALLS = {
    "by its path": ("{place}/ours/keyring", None),
    "by a relative path": ("./keyring", None),
    "by its name": ("{place}/ours/keyring", "keyring"),
}


@pytest.mark.parametrize(("called", "argv0"), CALLS.values(), ids=CALLS)
def test_search_begins_after_the_entry_we_were_found_by(
    shim: Shim, no_feed: ScriptedBroker, place: Path, called: str, argv0: str | None
) -> None:
    assert no_feed
    other_keyring(place / "before")
    ours(place / "ours", shim.program)
    other_keyring(place / "after")

    ended = shim(
        "get",
        URL,
        "Fred",
        program=called.format(place=place),
        argv0=argv0,  # the kernel gives a script the path it was found at instead
        directory=place / "ours",
        PATH=f"{place}/before:{place}/ours:{place}/after",
    )

    assert ended.stdout.startswith(b"after:")


def test_entry_is_known_in_another_spelling(shim: Shim, place: Path) -> None:
    other_keyring(place / "before")
    link = ours(place / "ours", shim.program)
    (place / "alias").symlink_to(place / "ours")
    other_keyring(place / "after")

    ended = shim("diagnose", program=link, PATH=f"{place}/before:{place}/./alias/:{place}/after")

    assert ended.stdout.startswith(b"after:")


def test_search_begins_at_the_front_when_we_are_not_on_path(shim: Shim, place: Path) -> None:
    other_keyring(place / "first")
    other_keyring(place / "second")

    ended = shim("diagnose", PATH=f"{place}/first:{place}/second")

    assert ended.stdout.startswith(b"first:")


def test_empty_and_relative_entries_are_skipped(shim: Shim, place: Path) -> None:
    other_keyring(place / "here")
    other_keyring(place / "here/below")
    other_keyring(place / "next")

    ended = shim("diagnose", directory=place / "here", PATH=f":below:./below::{place}/next:")

    assert ended.stdout.startswith(b"next:")


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_we_under_another_name_are_not_the_next(shim: Shim, place: Path, link: str) -> None:
    first = ours(place / "ours", shim.program)
    (place / "again").mkdir()
    if link == "symbolic":
        (place / "again/keyring").symlink_to(first)
    else:
        os.link(shim.program, place / "again/keyring")
    other_keyring(place / "next")

    ended = shim("diagnose", program=first, PATH=f"{place}/ours:{place}/again:{place}/ours:{place}/next")

    assert ended.stdout.startswith(b"next:")


def test_two_installations_do_not_call_each_other_for_ever(
    shim: Shim, no_feed: ScriptedBroker, place: Path
) -> None:
    for name in ("one", "two"):
        (place / name).mkdir()
        shutil.copy(shim.program, place / name / "keyring")

    ended = shim("get", URL, "Fred", program=place / "one/keyring", PATH=f"{place}/one:{place}/two")

    assert (ended.code, ended.stdout, ended.stderr) == (1, b"", "")
    assert no_feed.connections == 2


def test_two_installations_that_both_come_first_end_too(shim: Shim, place: Path) -> None:
    for name in ("one", "two"):
        (place / name).mkdir()
        shutil.copy(shim.program, place / name / "keyring")

    ended = shim("diagnose", PATH=f"{place}/one:{place}/two")

    assert (ended.code, ended.line) == (1, NOBODY_ELSE)


@pytest.mark.parametrize("other", ["native", "python"])
def test_installations_of_both_kinds_do_not_call_each_other_for_ever(
    shim: Shim, no_feed: ScriptedBroker, place: Path, session: Session, other: str
) -> None:
    if other == "native" and compiler() is None:
        pytest.skip("no C compiler here: the native shim cannot be built")
    first = ours(place / "one", shim.program)
    ours(place / "two", installed(session, other))

    ended = shim("get", URL, "Fred", program=first, PATH=f"{place}/one:{place}/two:{place}/one")

    assert (ended.code, ended.stdout, ended.stderr) == (1, b"", "")
    assert no_feed.connections == (1 if shim.program == installed(session, other) else 2)


def test_what_was_passed_on_once_stays(shim: Shim, no_feed: ScriptedBroker, place: Path) -> None:
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next", TOKEN_BROKER_PASSED="1")

    assert (ended.code, ended.stdout, ended.stderr) == (1, b"", "")
    assert no_feed.connections == 1


def test_shim_that_was_passed_on_to_still_answers(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_PASSED="1")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


def test_what_cannot_be_run_is_skipped(shim: Shim, place: Path) -> None:
    (place / "loop").mkdir()
    (place / "loop/keyring").symlink_to("keyring")
    (place / "dangling").mkdir()
    (place / "dangling/keyring").symlink_to(place / "nowhere")
    (place / "folder/keyring").mkdir(parents=True)
    other_keyring(place / "forbidden").chmod(0o644)
    other_keyring(place / "broken").write_text("#!/nowhere/at/all\n")
    (place / "file").touch()
    other_keyring(place / "next")
    names = ("loop", "dangling", "folder", "forbidden", "broken", "file", "missing", "x" * 5000, "next")

    ended = shim("diagnose", PATH=":".join(f"{place}/{name}" for name in names))

    assert ended.stdout.startswith(b"next:")


@pytest.mark.parametrize("home", ["XDG_DATA_HOME", "HOME"])
def test_replaced_keyring_is_the_last_resort(shim: Shim, place: Path, home: str) -> None:
    data = place / "home/.local/share" if home == "HOME" else place / "data"
    other_keyring(data / "token-broker/replaced")
    changes: dict[str, Any] = {} if home == "HOME" else {"XDG_DATA_HOME": str(data)}

    alone = shim("diagnose", **changes)
    other_keyring(place / "next")
    second = shim("diagnose", PATH=f"{place}/next", **changes)

    assert alone.stdout.startswith(b"replaced:")
    assert second.stdout.startswith(b"next:")


@pytest.mark.parametrize("path", [None, "", ":", "empty"])
def test_lookup_with_nobody_to_pass_it_to_is_silent(
    shim: Shim, no_feed: ScriptedBroker, path: str | None
) -> None:
    assert no_feed

    ended = shim("get", URL, "Fred", PATH=path, HOME=None)

    assert (ended.code, ended.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [[], ["set", URL, "Fred"], ["--help"]], ids=repr)
def test_anything_else_with_nobody_to_pass_it_to_is_told(shim: Shim, arguments: list[str]) -> None:
    ended = shim(*arguments, PATH=None)

    assert (ended.code, ended.line) == (1, NOBODY_ELSE)


@pytest.mark.parametrize("arguments", [["get", URL], ["get"], ["--output", "json", "get", URL]], ids=repr)
def test_half_a_look_up_with_nobody_to_pass_it_to_is_told_what_a_whole_one_is(
    shim: Shim, arguments: list[str]
) -> None:
    ended = shim(*arguments, PATH=None)

    assert (ended.code, ended.line) == (1, HOW_TO_GET)


def test_no_broker_is_told_and_the_next_keyring_asked(shim: Shim, place: Path) -> None:
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert (ended.code, ended.stdout.decode()) == (0, f"next:1:get {URL} Fred\n")
    assert ended.line == "the broker is not running; run: brokerctl setup"


def test_next_keyring_is_asked_though_nobody_reads_the_line(shim: Shim, place: Path) -> None:
    other_keyring(place / "next")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*shim.prefix, shim.program, "get", URL, "Fred"],
            env={**shim.environment, "PATH": f"{place}/next"},
            stdout=subprocess.PIPE,
            stderr=writer,
            timeout=RUN_LIMIT_S,
            check=False,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stdout.decode()) == (0, f"next:1:get {URL} Fred\n")


@pytest.mark.parametrize("status", [401, 403, 409, 500, 502, 503])
def test_feed_without_a_credential_is_never_passed_on(
    shim: Shim, broker: ScriptedBroker, place: Path, status: int
) -> None:
    broker.will(answers(status, "labs: no; run: it\n"))
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert (ended.code, ended.stdout) == (1, b"")
