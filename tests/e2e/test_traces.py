"""No token of a day of work is left anywhere: not on a disk, in a log, on a command line, in an environment,
nor in anything that was told to others than who looked it up.
"""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, PACKAGE, Household, feed, household
from tests.e2e.traces import Search
from tests.e2e.wire import Events
from tests.fakes.az_program import Conduct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.wire import Wire

pytestmark = pytest.mark.e2e

URL = AZURE_FEED.replace("//", "//dev@")
TOOL_FEED = "https://tool.example/simple/"
TOOL = "printf TBKTEST-%s $(od -An -N16 -tx1 /dev/urandom | tr -d ' ')"
"""A program whose token is new each time and stands in no file."""


@dataclass(frozen=True)
class Day:
    """What a daemon has said on its socket in a day of work, and every token of that day."""

    house: Household
    tokens: frozenset[str]
    said: bytes


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    """A day of work at log = "debug"; at its end the daemon still runs."""
    with household() as house:
        tool = feed("tool", TOOL_FEED, f'provider = "command"\ncommand = ["sh", "-c", """{TOOL}"""]')
        house.configure(f'log = "debug"\n{feed("corp", AZURE_FEED)}{tool}')
        with house.brokerd() as broker, Events(broker.wire) as events:
            given = {broker.wire.look_up(TOOL_FEED).password}
            all_goes_well(house)
            for order in ("refresh", "forget", "refresh"):
                for name in ("corp", "tool"):
                    assert broker.wire.post(f"/v1/feeds/{name}/{order}").status == 200
            given.add(broker.wire.look_up(TOOL_FEED).password)
            said = [*all_goes_wrong(house, broker.wire), repr(list(itertools.islice(events, 4))).encode()]
            said += [
                broker.wire.get(route).body
                for route in ("/v1/status", "/v1/logs", "/metrics", "/openapi.json")
            ]
            yield Day(house, frozenset(house.tokens | given), b"".join(said))


def all_goes_well(house: Household) -> None:
    assert house.keyring("get", AZURE_FEED, "dev").exit_code == 0
    assert house.keyring("--mode=creds", "--output=json", "get", AZURE_FEED).exit_code == 0
    for client in (house.uv_pip, house.pip):
        done = client("install", "--target", house.home / "in", "--index-url", URL, PACKAGE.name)
        assert done.exit_code == 0, done.text


def all_goes_wrong(house: Household, wire: Wire) -> Iterator[bytes]:
    """What is said while az babbles, no token is accepted any more, and a request makes no sense."""
    house.az.behave(Conduct("garbage"))
    house.acme.revoke_all()
    yield wire.post("/v1/feeds/corp/refresh").body
    for client in (house.uv_pip, house.pip):
        done = client("install", "--no-cache-dir", "--index-url", URL, "--target", house.home / "out", "more")
        assert done.exit_code != 0
        yield done.text.encode()
    with wire.connect() as connection:
        connection.sendall(f"GET /v1/credential?url={AZURE_FEED} HTTP/1.1\r\n\r\n".encode())
        yield connection.recv(65536)


def test_no_token_of_the_day_is_on_a_disk_or_in_the_log(day: Day) -> None:
    assert len(day.tokens) >= 6
    assert "DEBUG broker." in (day.house.folder / "brokerd.log").read_text()
    assert Search(day.tokens).files(day.house.folder) == []


def test_no_token_of_the_day_is_on_a_command_line_or_in_an_environment(day: Day) -> None:
    assert Search(day.tokens).processes() == []


def test_no_token_of_the_day_was_told_but_to_who_looked_it_up(day: Day) -> None:
    assert not Search(day.tokens).is_in(day.said)


def test_a_token_of_the_day_would_have_been_found_in_each_of_these_places(day: Day) -> None:
    token = min(day.tokens)
    environment = day.house.environment
    folders = [
        day.house.home,
        Path(environment["TMPDIR"]),
        day.house.socket.parent,
        day.house.home / ".cache",
    ]
    planted = [folder / "planted" for folder in folders]
    basic = base64.b64encode(f"VssSessionToken:{token}".encode()).decode()

    for file in planted:
        file.write_text(basic)
    log = day.house.folder / "brokerd.log"
    log.write_text(f"{log.read_text()}DEBUG token={token}\n")
    found = Search(day.tokens).files(day.house.folder)
    for file in planted:
        file.unlink()
    log.write_text(log.read_text().replace(token, ""))

    assert set(found) == {str(file) for file in (*planted, log)}
