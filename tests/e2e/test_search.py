"""The search for traces finds what it is meant to find, in every spelling and place."""

from __future__ import annotations

import base64
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.e2e.household import TENANT, USER
from tests.e2e.traces import Search
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
    "hexadecimal digits": lambda secret: f"00{secret.encode().hex()}0a",
    "hexadecimal digits as URLs have them": lambda secret: f"00{secret.encode().hex().upper()}0A",
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


@pytest.mark.parametrize(
    "part",
    [TOKEN.split(".")[1], base64.b64decode(TOKEN.split(".")[1] + "==").decode()],
    ids=["as it travels", "decoded"],
)
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
