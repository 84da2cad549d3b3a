"""No issued token is left anywhere: not on a disk, in a log, on a command line, in an environment."""

from __future__ import annotations

import base64
import itertools
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.e2e.household import AZURE_FEED, PACKAGE, TENANT, USER, Household, feed, household
from tests.e2e.traces import Search
from tests.e2e.wire import Events
from tests.fakes.az_program import Conduct
from tests.fakes.tokens import Account, entra_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = entra_token(Account(USER, TENANT), issued_at=0, lifetime_s=60)
PASSWORD = "TBKTEST-0/1+2=3 4&5"


def basic(user: str, secret: str) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


HIDDEN_AS: dict[str, Callable[[str], str]] = {
    "itself": lambda secret: f"token={secret}\n",
    "Basic of a short user": lambda secret: f"Authorization: Basic {basic('x', secret)}",
    "Basic of a longer user": lambda secret: f"Authorization: Basic {basic('ci', secret)}",
    "Basic of the longest user": lambda secret: f"Authorization: Basic {basic('dev', secret)}",
    "base64 in the middle of more": lambda secret: basic("user", f"{secret} and more"),
    "part of a URL": lambda secret: f"https://x:{quote(secret, safe='')}@host/",
}


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD], ids=["a JWT", "a password"])
@pytest.mark.parametrize("hide", HIDDEN_AS.values(), ids=HIDDEN_AS)
def test_the_search_finds_a_secret_in_a_file(tmp_path: Path, secret: str, hide: Callable[[str], str]) -> None:
    planted = tmp_path / "deep" / "down"
    planted.parent.mkdir()
    planted.write_text(hide(secret))
    (tmp_path / "innocent").write_text(basic("user", "nothing of the kind, nor anything like it"))

    assert Search([secret]).files(tmp_path) == [str(planted)]


@pytest.mark.parametrize("part", [TOKEN.split(".")[1], base64.b64decode(TOKEN.split(".")[1] + "==").decode()])
def test_the_search_finds_the_payload_of_a_jwt(tmp_path: Path, part: str) -> None:
    (tmp_path / "claims").write_text(part)

    assert Search([TOKEN]).files(tmp_path) == [str(tmp_path / "claims")]


def test_the_search_finds_a_secret_in_a_name_and_in_a_link(tmp_path: Path) -> None:
    (tmp_path / PASSWORD.replace("/", ":")).touch()
    (tmp_path / "link").symlink_to(TOKEN)

    found = Search([TOKEN, PASSWORD.replace("/", ":")]).files(tmp_path)

    assert found == [str(path) for path in sorted(tmp_path.iterdir())]


@contextmanager
def holding(argument: str, environment: dict[str, str]) -> Iterator[int]:
    """A process with this argument and environment; its id."""
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-Ic", program, argument],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid
        holder.communicate()


@pytest.mark.parametrize("place", ["cmdline", "environ"])
def test_the_search_finds_a_secret_in_a_process(place: str) -> None:
    planted = (TOKEN, {}) if place == "cmdline" else ("-", {"TOKEN": TOKEN})

    with holding(*planted) as pid:
        found = Search([TOKEN]).processes()

    assert found == [f"/proc/{pid}/{place}"]


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
    """A day of work at log = "debug", good and bad; the daemon still runs."""
    with household() as house:
        tool = feed("tool", TOOL_FEED, f'provider = "command"\ncommand = ["sh", "-c", """{TOOL}"""]')
        house.configure(f'log = "debug"\n{feed("corp", AZURE_FEED)}{tool}')
        with house.brokerd() as broker, Events(broker.wire) as events:
            wire = broker.wire
            given = {wire.look_up(TOOL_FEED).json["password"]}
            assert house.keyring("get", AZURE_FEED, "dev").exit_code == 0
            assert house.keyring("--mode=creds", "--output=json", "get", AZURE_FEED).exit_code == 0
            url = AZURE_FEED.replace("//", "//dev@")
            for client in (house.uv_pip, house.pip):
                done = client("install", "--target", house.home / "in", "--index-url", url, PACKAGE.name)
                assert done.exit_code == 0, done.text
            for order in ("refresh", "forget", "refresh"):
                for name in ("corp", "tool"):
                    wire.post(f"/v1/feeds/{name}/{order}")
            given.add(wire.look_up(TOOL_FEED).json["password"])
            house.az.behave(Conduct("garbage"))
            house.acme.revoke_all()
            refused = wire.post("/v1/feeds/corp/refresh")
            failed = house.pip("install", "--index-url", url, "--target", house.home / "in", "nothing-there")
            assert failed.exit_code != 0
            with wire.connect() as connection:
                connection.sendall(f"GET /v1/credential?url={AZURE_FEED} HTTP/1.1\r\n\r\n".encode())
                nonsense = connection.recv(65536)
            told = [wire.get(target).body for target in ("/v1/status", "/metrics", "/openapi.json")]
            news = repr(list(itertools.islice(events, 4))).encode()
            said = b"".join((*told, refused.body, nonsense, news, failed.text.encode()))
            yield Day(house, frozenset(house.tokens | given), said)


def test_no_token_of_the_day_is_on_a_disk_or_in_the_log(day: Day) -> None:
    assert len(day.tokens) >= 6
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

    for file in planted:
        file.write_text(basic("VssSessionToken", token))
    log = day.house.folder / "brokerd.log"
    log.write_text(f"{log.read_text()}DEBUG token={token}\n")
    found = Search(day.tokens).files(day.house.folder)
    for file in planted:
        file.unlink()
    log.write_text(log.read_text().replace(token, ""))

    assert found == sorted(str(file) for file in (*planted, log))
