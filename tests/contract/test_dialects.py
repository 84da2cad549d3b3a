"""Every spelling of a look-up that a client uses, and what it gets (CONTRACT section 3, clients.md 2)."""

from __future__ import annotations

import json

import pytest

from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.contract.shims import Shim

URL = "https://feed.example/simple/"
PLAIN_CREDS = b"Fred\ns3cret\n"
JSON_CREDS = b'{"username": "Fred", "password": "s3cret"}\n'

DIALECTS = {
    "uv": (["get", URL, "Fred"], "Fred", b"s3cret\n"),
    "uv, no username": (["get", URL, "--mode", "creds"], None, PLAIN_CREDS),
    "pip": (["--mode=creds", "--output=json", "get", URL, "Fred"], "Fred", JSON_CREDS),
    "pip, no username": (["--mode=creds", "--output=json", "get", URL], None, JSON_CREDS),
    "pdm": (["--mode=creds", "get", URL, "Fred"], "Fred", PLAIN_CREDS),
    "pdm, no username": (["--mode=creds", "get", URL, ""], None, PLAIN_CREDS),
    "pdm, password": (["--mode=password", "get", URL, "__token__"], "__token__", b"s3cret\n"),
    "options in the middle": (
        ["get", "--mode", "creds", URL, "--output", "json", "Fred"],
        "Fred",
        JSON_CREDS,
    ),
    "options last": (["get", URL, "Fred", "--output=json", "--mode=creds"], "Fred", JSON_CREDS),
    "the later option counts": (["--mode=creds", "get", URL, "Fred", "--mode=password"], "Fred", b"s3cret\n"),
    "password in JSON": (["get", URL, "Fred", "--output", "json"], "Fred", b'{"password": "s3cret"}\n'),
    "plain, said": (["--output", "plain", "--mode", "password", "get", URL, "Fred"], "Fred", b"s3cret\n"),
}

NOT_LOOKUPS = {
    "nothing": [],
    "help": ["--help"],
    "version": ["--version"],
    "backends": ["--list-backends"],
    "diagnose": ["diagnose"],
    "set": ["set", URL, "Fred"],
    "del": ["del", URL, "Fred"],
    "get alone": ["get"],
    "creds of nothing": ["--mode=creds", "get"],
    "option for a service": ["get", "-x", "Fred"],
    "password without username": ["get", URL],
    "empty service": ["get", "", "Fred"],
    "too many words": ["get", URL, "Fred", "Ann"],
    "creds with too many words": ["--mode=creds", "get", URL, "Fred", "Ann"],
    "unknown mode": ["--mode=token", "get", URL, "Fred"],
    "unknown output": ["--output", "xml", "get", URL, "Fred"],
    "mode without value": ["get", URL, "Fred", "--mode"],
    "unknown option": ["-b", "some.Backend", "get", URL, "Fred"],
    "longer option": ["--modest", "creds", "get", URL, "Fred"],
    "longer option with a value": ["--modest=creds", "get", URL, "Fred"],
    "shorter option": ["--mod=creds", "get", URL, "Fred"],
    "end of options": ["get", "--", URL, "Fred"],
}


@pytest.mark.parametrize(("arguments", "username", "stdout"), DIALECTS.values(), ids=DIALECTS)
def test_dialect_is_answered(
    shim: Shim, broker: ScriptedBroker, arguments: list[str], username: str | None, stdout: bytes
) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim(*arguments)

    assert (ended.code, ended.stdout, ended.stderr) == (0, stdout, "")
    (request,) = broker.requests
    assert request.query["url"] == URL
    assert request.query.get("username") == username


def test_request_is_one_that_the_daemon_takes(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    shim("get", URL, "Fred")

    (request,) = broker.requests
    assert request.text.startswith("GET /v1/credential?url=")
    assert request.text.splitlines()[0].endswith(" HTTP/1.1")
    assert request.headers == {"host": "broker", "accept": "text/plain", "connection": "close"}
    assert set(request.query) == {"url", "username", "wait"}


@pytest.mark.parametrize("arguments", NOT_LOOKUPS.values(), ids=NOT_LOOKUPS)
def test_what_is_no_lookup_does_not_reach_the_broker(
    shim: Shim, broker: ScriptedBroker, arguments: list[str]
) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim(*arguments)

    assert ended.code == 1
    assert ended.line.endswith("; run: pip install keyring")
    assert broker.connections == 0


@pytest.mark.parametrize("output", ["plain", "json"])
def test_requested_username_is_echoed(shim: Shim, broker: ScriptedBroker, output: str) -> None:
    broker.will(credential("VssSessionToken", "s3cret"))

    ended = shim("--mode=creds", f"--output={output}", "get", URL, "dev@example.com")

    expected = {"username": "dev@example.com", "password": "s3cret"}
    assert ended.stdout.decode() == (
        json.dumps(expected) + "\n" if output == "json" else "dev@example.com\ns3cret\n"
    )


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@pytest.mark.parametrize("arguments", [["--mode=creds"], []], ids=["creds", "password"])
@pytest.mark.parametrize("secret", ["x" + PRINTABLE + "x", '"', "\\", '\\"\\\\"', "a/b</script>'"])
def test_json_is_byte_for_byte_what_python_prints(
    shim: Shim, broker: ScriptedBroker, secret: str, arguments: list[str]
) -> None:
    broker.will(credential(secret, secret))

    ended = shim(*arguments, "--output=json", "get", URL, *([] if arguments else ["Fred"]))

    expected = {"username": secret, "password": secret} if arguments else {"password": secret}
    assert ended.stdout.decode() == json.dumps(expected) + "\n"


def test_long_answer_is_printed_whole(shim: Shim, broker: ScriptedBroker) -> None:
    secret = '"' * 60_000
    broker.will(credential("Fred", secret))

    ended = shim("--mode=creds", "--output=json", "get", URL)

    assert json.loads(ended.stdout) == {"username": "Fred", "password": secret}


def test_every_byte_of_service_and_username_arrives(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    every_byte = bytes(range(1, 256))

    shim("get", b"https://" + every_byte, b"u" + every_byte)

    query = broker.requests[0].query
    assert query["url"].encode(errors="surrogateescape") == b"https://" + every_byte
    assert query["username"].encode(errors="surrogateescape") == b"u" + every_byte


@pytest.mark.parametrize("service", ["poetry-repository-corp", "feed.example:8443", "[::1]:80", "-", "a b"])
def test_any_service_is_for_the_broker_to_judge(shim: Shim, broker: ScriptedBroker, service: str) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", service, "Fred")

    assert ended.stdout == b"s3cret\n"
    assert broker.requests[0].query["url"] == service


def test_service_that_is_too_long_for_a_feed_is_not_asked(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", "h" * 8193, "Fred")

    assert (ended.code, ended.stderr) == (1, "")
    assert broker.connections == 0


def test_longest_service_and_username_are_asked_with_every_byte_encoded(
    shim: Shim, broker: ScriptedBroker
) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", "/" * 8192, "/" * 1024)

    assert ended.stdout == b"s3cret\n"
    assert len(broker.requests[0].query["url"]) == 8192
    assert len(broker.requests[0].query["username"]) == 1024
