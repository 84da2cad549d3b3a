"""What hints and repairs show of a command and of the entries of uv's store: nothing that may be a secret."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from broker.ctl.clients.client_index import UV, Index, Place
from broker.ctl.clients.command_line import PLACE, options_of, shown_command
from broker.ctl.clients.stored_passwords import StoredLogin
from broker.ctl.why.repairs import with_user
from tests.ctl.test_secrets_in_urls import ADDRESSES, SECRET

TOKEN = "ghp_0123456789abcdefghij"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("uv sync --index corp=https://me:hunter2@h.example/s/", "--index corp=https://me@h.example/s/"),
        (f"pip install -i https://{TOKEN}@h.example/s/ x", "-i https://USERNAME@h.example/s/ x"),
        ("pip install -i https://me:hun/ter2@h.example/s/", "-i https://HOST/simple/"),
        ("twine upload -u me -p hunter2 dist/x", "-u me -p PASSWORD dist/x"),
        ("uv publish --password=hunter2", "--password=PASSWORD"),
        ("uv publish --token hunter2", "--token PASSWORD"),
        ("poetry publish -phunter2", "-pPASSWORD"),
    ],
)
def test_a_command_is_shown_without_its_passwords(words: str, shown: str) -> None:
    told = shown_command(words.split())

    assert told.endswith(shown)
    assert not any(secret in told for secret in ("hunter2", "ter2", TOKEN))


@pytest.mark.parametrize(
    "words",
    [
        "uv run -p 3.12 x.py",
        "pip install -t target -i https://me@h.example:8443/s/ x",
        "pip install git+https://h.example/x@v1#egg=x",
    ],
)
def test_a_command_without_a_password_is_shown_as_it_is(words: str) -> None:
    assert shlex.split(shown_command(words.split())) == words.split()


SHOWN = {name: each for name, each in ADDRESSES.items() if not each.startswith(f"https://{SECRET}")}
"""There it is a user as any other."""


@pytest.mark.parametrize("address", SHOWN.values(), ids=SHOWN)
def test_a_repair_has_no_secret_of_an_address(address: str) -> None:
    command = ("uv", "pip", "install", "--index-url", address)
    told = [shown_command(command), shown_command(("pip", "install", address))]
    for place, words in ((PLACE, command), ("UV_INDEX_URL", ()), (Path("pip.conf"), ())):
        index = Index.at(UV, Place(place), address)
        environ = {"UV_INDEX_URL": f"{address} corp={address}"}
        told.append(str(with_user(index, "ci", options_of(words), environ, editable=True)))

    assert SECRET not in "\n".join(told)


@pytest.mark.parametrize(
    ("service", "username", "line"),
    [
        ("https://h.example/simple", "me", "uv auth logout https://h.example/simple --username me"),
        ("https://me:hunter2@h.example/s?t=hunter2", None, "uv auth logout https://h.example/s"),
        ("https://h.example/s", TOKEN, "uv auth logout https://h.example/s --username USERNAME"),
    ],
)
def test_an_entry_of_uvs_store_is_removed_by_a_line_without_a_secret(
    service: str, username: str | None, line: str
) -> None:
    assert StoredLogin(service, username).removal == line
