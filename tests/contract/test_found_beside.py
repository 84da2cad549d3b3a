"""A shim that was found as DIR/bin/keyring asks the broker at DIR/broker.sock (CONTRACT section 3)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.contract.scripted_broker import ScriptedBroker, answers, credential

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.shims import Shim

URL = "https://feed.example/simple/"
NO_FEED = '{"type": "no-feed"}'


def linked(shim: Shim, place: Path) -> Path:
    """The shim as `exec` links it."""
    link = place / "private" / "bin" / "keyring"
    link.parent.mkdir(parents=True, mode=0o700)
    link.parent.parent.chmod(0o700)
    link.symlink_to(shim.program)
    return link


def test_broker_beside_comes_before_the_users(shim: Shim, broker: ScriptedBroker, place: Path) -> None:
    link = linked(shim, place)
    with ScriptedBroker(place / "private" / "broker.sock").will(credential("Fred", "from beside")):
        ended = shim("get", URL, "Fred", program=link, XDG_RUNTIME_DIR=None)

    assert (ended.stdout, broker.connections) == (b"from beside\n", 0)


def test_named_socket_comes_before_the_one_beside(shim: Shim, broker: ScriptedBroker, place: Path) -> None:
    link = linked(shim, place)
    broker.will(credential("Fred", "named"))
    with ScriptedBroker(place / "private" / "broker.sock") as beside:
        named = f"{place}/run/token-broker/broker.sock"
        ended = shim("get", URL, "Fred", program=link, TOKEN_BROKER_SOCKET=named)

    assert (ended.stdout, beside.connections) == (b"named\n", 0)


def test_without_a_socket_beside_the_users_broker_is_asked(
    shim: Shim, broker: ScriptedBroker, place: Path
) -> None:
    link = linked(shim, place)
    broker.will(credential("Fred", "the user's"))

    assert shim("get", URL, "Fred", program=link).stdout == b"the user's\n"


def test_a_folder_that_is_not_called_bin_has_no_broker_beside(
    shim: Shim, broker: ScriptedBroker, place: Path
) -> None:
    link = linked(shim, place)
    other = link.parent.rename(link.parent.with_name("sbin")) / "keyring"
    broker.will(credential("Fred", "the user's"))
    with ScriptedBroker(place / "private" / "broker.sock") as beside:
        ended = shim("get", URL, "Fred", program=other)

    assert (ended.stdout, beside.connections) == (b"the user's\n", 0)


def test_broker_beside_is_trusted_by_the_same_rules(shim: Shim, place: Path) -> None:
    link = linked(shim, place)
    with ScriptedBroker(place / "private" / "broker.sock") as beside:
        (place / "private").chmod(0o755)
        ended = shim("get", URL, "Fred", program=link)

    assert (ended.code, ended.stdout, beside.connections) == (1, b"", 0)
    assert "is open to others" in ended.line


def test_no_broker_is_started_where_the_one_beside_has_ended(shim: Shim, place: Path) -> None:
    link = linked(shim, place)
    brokerd = shim.program.with_name("brokerd")
    brokerd.write_text(f"#!/bin/sh\ntouch {place}/started\n")
    brokerd.chmod(0o755)
    try:
        with ScriptedBroker(place / "private" / "broker.sock"):
            pass
        ended = shim("get", URL, "Fred", program=link, TOKEN_BROKER_TIMEOUT="2")
    finally:
        brokerd.unlink()

    assert ended.code == 1
    assert not (place / "started").exists()


def test_what_the_broker_beside_does_not_know_is_nobodys_but_the_systems(
    shim: Shim, broker: ScriptedBroker, place: Path
) -> None:
    link = linked(shim, place)
    with ScriptedBroker(place / "private" / "broker.sock").will(answers(404, NO_FEED)):
        ended = shim("get", URL, "Fred", program=link)

    assert (ended.code, ended.stdout, broker.connections) == (1, b"", 0)


@pytest.mark.parametrize("is_stale", [False, True])
def test_share_whose_broker_is_gone_names_what_starts_it_where_it_runs(
    shim: Shim, place: Path, *, is_stale: bool
) -> None:
    folder = place / "mounted"
    (folder / "bin").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "bin" / "keyring").write_bytes(b"the copy that every share has")
    if is_stale:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder / "broker.sock"))
        (folder / "broker.sock").chmod(0o600)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{folder}/broker.sock")

    told = "whose broker is not running; on the machine that shares it, run: brokerctl start"
    assert (ended.code, ended.stdout, ended.line) == (1, b"", f"{folder} is a share, {told}")
