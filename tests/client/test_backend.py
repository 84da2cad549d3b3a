"""The backend of the keyring library: what twine, poetry, pdm, hatch and pip's import mode get."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import keyring
import keyring.backend
import keyring.cli
import keyring.core
import pytest
from keyring.backends.chainer import ChainerBackend
from keyring.credentials import SimpleCredential
from token_broker_keyring import TokenBrokerKeyring

from tests.contract import answer_tables
from tests.contract.scripted_broker import (
    ScriptedBroker,
    Step,
    answers,
    credential,
    hangs,
    hangs_up,
    resets,
    sends,
    trickles,
)
from tests.contract.shims import CLIENT
from tests.contract.test_dialects import DIALECTS

URL = "https://feed.example/simple/"


class NextBackend(keyring.backend.KeyringBackend):
    """A backend that keeps passwords, for the library's chain to go on to."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Chain(ChainerBackend):
    """The library's chain, of two backends chosen by the test."""

    backends: list[keyring.backend.KeyringBackend] = []  # noqa: RUF012 - a property of the class in the library


@pytest.fixture
def chain(backend: TokenBrokerKeyring) -> Iterator[ChainerBackend]:
    """What keyring.get_password() goes through."""
    before = keyring.core._keyring_backend
    chain = Chain()  # type: ignore[no-untyped-call]
    Chain.backends = sorted([NextBackend(), backend], key=keyring.backend.by_priority, reverse=True)
    keyring.set_keyring(chain)
    yield chain
    keyring.core._keyring_backend = before


def test_feed_is_answered(backend: TokenBrokerKeyring, broker: ScriptedBroker) -> None:
    broker.will(credential("VssSessionToken", "s3cret"))

    found = backend.get_credential(URL, None)

    assert found is not None
    assert (found.username, found.password) == ("VssSessionToken", "s3cret")
    assert backend.get_password(URL, "Fred") == "s3cret"
    assert [request.query.get("username") for request in broker.requests] == [None, "Fred"]


def test_requested_username_is_kept(backend: TokenBrokerKeyring, broker: ScriptedBroker) -> None:
    broker.will(credential("VssSessionToken", "s3cret"))

    found = backend.get_credential(URL, "Fred")

    assert isinstance(found, SimpleCredential)
    assert found.username == "Fred"


@pytest.mark.parametrize(
    "dialect", sorted(DIALECTS.keys() - {"options in the middle"})
)  # not taken by argparse
@pytest.mark.usefixtures("chain")
def test_keyring_command_with_the_backend_says_what_the_shims_say(
    broker: ScriptedBroker,
    capsysbinary: pytest.CaptureFixture[bytes],
    dialect: str,
) -> None:
    arguments, username, stdout = DIALECTS[dialect]
    broker.will(credential("Fred", "s3cret"))

    keyring.cli.main(arguments)  # type: ignore[no-untyped-call]

    assert capsysbinary.readouterr() == (stdout, b"")
    (request,) = broker.requests
    assert (request.query["url"], request.query.get("username")) == (URL, username)


@pytest.mark.parametrize(
    "service", ["python-poetry-check", "poetry-repository-x", "pdm-pypi-x", "", "a" * 9000]
)
def test_what_is_no_feed_is_none(backend: TokenBrokerKeyring, broker: ScriptedBroker, service: str) -> None:
    broker.will(answers(404, "no feed\n"))

    assert backend.get_password(service, "Fred") is None
    assert backend.get_credential(service, None) is None


NO_ANSWERS = {
    **{name: sends(content) for name, content in (answer_tables.MALFORMED | answer_tables.HALF).items()},
    **{str(status): answers(status, line) for status, line in answer_tables.PROBLEMS.items()},
    "409": answers(409, ""),
    "end": hangs_up(),
    "reset": resets(),
    "half and silence": hangs(answer_tables.HEAD),
    "silence": hangs(),
    "silence by the byte": trickles(),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_lookup_never_raises(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_TIMEOUT", "0.1" if "silence" in name else "20")
    broker.will(NO_ANSWERS[name])

    assert backend.get_password(URL, "Fred") is None


@pytest.mark.parametrize("name", answer_tables.GOOD)
def test_whole_answer_is_taken(backend: TokenBrokerKeyring, broker: ScriptedBroker, name: str) -> None:
    broker.will(sends(answer_tables.GOOD[name]))

    assert backend.get_password(URL, "Fred") == "s3cret"


@pytest.mark.parametrize("first", [hangs_up(), resets()], ids=["end", "reset"])
def test_connection_that_ends_unanswered_is_tried_once_more(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, first: Step
) -> None:
    broker.will(first, credential("Fred", "s3cret"))

    assert backend.get_password(URL, "Fred") == "s3cret"
    assert broker.connections == 2


def test_system_broker_is_asked_for_what_is_no_feed_of_the_user(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, place: Path
) -> None:
    broker.will(answers(404, "no feed\n"))
    with ScriptedBroker(place / "system" / "broker.sock").will(credential("ci", "of the system")) as system:
        system.path.parent.chmod(0o755)
        found = backend.get_credential(URL, None)

    assert found is not None
    assert (found.username, found.password) == ("ci", "of the system")
    assert (broker.connections, system.connections) == (1, 1)


def test_feed_of_the_user_is_nobody_elses_question(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, place: Path
) -> None:
    broker.will(answers(401, "labs: sign-in needed; run: az login\n"))
    with ScriptedBroker(place / "system" / "broker.sock").will(credential("ci", "of the system")) as system:
        system.path.parent.chmod(0o755)

        assert backend.get_password(URL, "Fred") is None
        assert system.connections == 0


def test_service_that_is_no_text_at_all_is_none(backend: TokenBrokerKeyring, place: Path) -> None:
    assert place
    assert backend.get_password(None, None) is None  # type: ignore[arg-type]  # clients do


def test_process_that_was_passed_on_to_does_not_ask_again(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.will(credential("Fred", "s3cret"))
    monkeypatch.setenv("TOKEN_BROKER_PASSED", "1")

    assert backend.get_password(URL, "Fred") is None
    assert broker.connections == 0


def test_nothing_is_stored(backend: TokenBrokerKeyring) -> None:
    with pytest.raises(NotImplementedError):
        backend.set_password(URL, "Fred", "s3cret")
    with pytest.raises(NotImplementedError):
        backend.delete_password(URL, "Fred")


def test_chain_goes_on_to_the_next_backend(chain: ChainerBackend, broker: ScriptedBroker) -> None:
    broker.will(answers(404, "no feed\n"))

    keyring.set_password("mail", "Fred", "kept")

    assert isinstance(chain.backends[0], TokenBrokerKeyring)
    assert keyring.get_password("mail", "Fred") == "kept"
    keyring.delete_password("mail", "Fred")
    assert keyring.get_password("mail", "Fred") is None


def test_chain_asks_us_before_the_feed_plug_ins_and_stays_the_chain() -> None:
    assert 9.9 < TokenBrokerKeyring.priority < 10


def test_library_finds_the_backend_by_its_entry_point() -> None:
    if not entry_points(group="keyring.backends", name="token-broker"):
        pytest.skip("token-broker-client is not installed in this environment")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other backends' business
        found = keyring.backend.get_all_keyring()

    assert any(isinstance(each, TokenBrokerKeyring) for each in found)


def test_name_is_one_that_poetry_takes(backend: TokenBrokerKeyring) -> None:
    name = backend.name.lower()

    assert not name.startswith(("chainer", "fail", "null"))
    assert "plaintext" not in name


def test_import_without_the_library_is_harmless(place: Path) -> None:
    (place / "keyring.py").write_text("raise ImportError('not here')\n")
    script = "import token_broker_keyring as t; print(t.TokenBrokerKeyring().get_password('x', 'y'))"
    path = os.pathsep.join((str(place), str(CLIENT)))

    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("None\n", "")
