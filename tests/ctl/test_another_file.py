"""`brokerctl add` and `remove` with a file that the running broker does not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
RELOAD = "POST /v1/reload"


def first_line(ended: Ended) -> str:
    return ended.stdout.splitlines()[0]


@pytest.fixture
def running(broker: StandInBroker, room: Path) -> StandInBroker:
    """A broker that reads the user's own configuration."""
    own = str(room / ".config/token-broker/config.toml")
    broker.answers |= {"GET /v1/status": (200, {"config": own}), RELOAD: (200, {"feeds": []})}
    return broker


def test_a_broker_that_reads_another_file_is_not_said_to_know_the_feed(
    brokerctl: Brokerctl, running: StandInBroker, room: Path
) -> None:
    other = str(room / "other.toml")

    added, removed = (brokerctl(*words, "--config", other) for words in (("add", AZURE), ("remove", "corp")))

    reads = "the running broker reads ~/.config/token-broker/config.toml, not this file"
    assert first_line(added) == f"added corp to ~/other.toml; {reads}"
    assert first_line(removed) == f"removed corp from ~/other.toml; {reads}"
    assert RELOAD not in running.asked


def test_a_broker_that_reads_the_file_by_another_path_is_told(
    brokerctl: Brokerctl, running: StandInBroker, room: Path
) -> None:
    (room / ".config/token-broker").mkdir(parents=True)
    (room / "linked").symlink_to(room / ".config/token-broker")

    ended = brokerctl("add", AZURE, "--config", str(room / "linked/config.toml"))

    assert first_line(ended) == "added corp to ~/linked/config.toml; the running broker knows"
    assert RELOAD in running.asked


def test_a_broker_that_is_yet_to_start_is_not_said_to_read_another_file(
    brokerctl: Brokerctl, room: Path
) -> None:
    ended = brokerctl("add", AZURE, "--config", str(room / "other.toml"))

    named = "no broker reads it unless --config or TOKEN_BROKER_CONFIG names it"
    assert first_line(ended) == f"added corp to ~/other.toml; {named}"


def test_the_file_that_a_variable_names_is_the_one_that_a_broker_reads(
    brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_CONFIG", str(room / "mine.toml"))

    ended = brokerctl("add", AZURE)

    assert first_line(ended).endswith("; the broker is not running and will read it when it starts")
