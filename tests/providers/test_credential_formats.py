import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from broker.core.credential import Secret
from broker.providers.credential_formats import read_printed
from broker.providers.helper_program import SecretFound, read

END = datetime(2026, 11, 21, 21, tzinfo=UTC)
RFC3339 = "2026-11-21T21:00:00Z"


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


FORMS: dict[str, tuple[object, SecretFound]] = {
    "AWS": (
        {"Version": 1, "AccessKeyId": "aws", "SecretAccessKey": "s3cret", "Expiration": RFC3339},
        SecretFound("aws", Secret("s3cret"), END),
    ),
    "docker": (
        {"ServerURL": "https://x", "Username": "ci", "Secret": "s3cret"},
        SecretFound("ci", Secret("s3cret")),
    ),
    "kubectl": (
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": "s3cret", "expirationTimestamp": RFC3339},
        },
        SecretFound(None, Secret("s3cret"), END),
    ),
    "Bazel, Basic": (
        {"headers": {"Authorization": [basic("ci:s3:cret")]}, "expires": RFC3339},
        SecretFound("ci", Secret("s3:cret"), END),
    ),
    "Bazel, Bearer": ({"headers": {"authorization": "Bearer s3cret"}}, SecretFound(None, Secret("s3cret"))),
    "az": (
        {
            "accessToken": "s3cret",
            "expires_on": int(END.timestamp()),
            "expiresOn": "2026-11-21 22:00:00.000000",
        },
        SecretFound(None, Secret("s3cret"), END),
    ),
    "azd": ({"token": "s3cret", "expiresOn": RFC3339}, SecretFound(None, Secret("s3cret"), END)),
    "aws": (
        {"authorizationToken": "s3cret", "expiration": END.timestamp()},
        SecretFound(None, Secret("s3cret"), END),
    ),
    "gcloud": (
        {"credential": {"access_token": "s3cret", "token_expiry": RFC3339}, "configuration": {}},
        SecretFound(None, Secret("s3cret"), END),
    ),
    "RFC 6749": (
        {"access_token": "s3cret", "token_type": "Bearer", "username": "ci"},
        SecretFound("ci", Secret("s3cret")),
    ),
    "Vault, a secret of an engine": (
        {"request_id": "r", "lease_duration": 0, "data": {"access_token": "s3cret", "username": "ci"}},
        SecretFound("ci", Secret("s3cret")),
    ),
    "Vault, a sign-in": (
        {"lease_duration": 0, "data": None, "auth": {"client_token": "s3cret", "lease_duration": 0}},
        SecretFound(None, Secret("s3cret")),
    ),
    "ours": ({"token": "s3cret", "expires_at": RFC3339}, SecretFound(None, Secret("s3cret"), END)),
}


@pytest.mark.parametrize(("printed", "found"), FORMS.values(), ids=FORMS.keys())
def test_every_form_of_json_is_read(printed: object, found: SecretFound) -> None:
    assert read(json.dumps(printed).encode()) == found


@pytest.mark.parametrize(("printed", "found"), FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(
    "around",
    ["WARNING: old\n{}", "{}\n\x1b[0m", "{}\r\nDone: {{}}\r\n", "\x1b[32m{}", '{{"type": "log"}}\n{}'],
)
def test_every_form_of_json_is_found_in_text(printed: object, found: SecretFound, around: str) -> None:
    assert read(around.format(json.dumps(printed, indent=1)).encode()) == found


@pytest.mark.parametrize(
    ("printed", "lives"),
    [
        ({"access_token": "s3cret", "expires_in": 300}, 300),
        ({"access_token": "s3cret", "expires_in": "300"}, "300"),
        ({"lease_duration": 3600, "data": {"access_token": "s3cret"}}, 3600),
        ({"lease_duration": 0, "data": {"password": "s3cret"}}, None),
        ({"auth": {"client_token": "s3cret", "lease_duration": 2764800}}, 2764800),
    ],
)
def test_a_life_in_seconds_is_told_as_such(printed: object, lives: object) -> None:
    assert read_printed(json.dumps(printed).encode()).lives == lives


@pytest.mark.parametrize(
    ("printed", "life_s"),
    [
        ({"access_token": "s3cret", "expires_in": 300}, 300),
        ({"lease_duration": 3600, "data": {"access_token": "s3cret"}}, 3600),
    ],
)
def test_a_life_in_seconds_counts_from_the_programs_start(printed: object, life_s: int) -> None:
    begun = datetime(2026, 11, 21, 9, tzinfo=UTC)

    found = read(json.dumps(printed).encode(), begun)

    assert found.expires_at == begun + timedelta(seconds=life_s)


def test_two_credentials_are_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match=r'more than one: {"token": text}, {"token": text}') as raised:
        read(b'{"token": "s3cret-a"}{"token": "s3cret-b"}')

    assert "s3cret" not in str(raised.value)


def test_the_lines_of_a_git_helper_are_read() -> None:
    lines = f"protocol=https\nusername=ci\npassword=s3=cret==\npassword_expiry_utc={END.timestamp():.0f}\n"

    assert read(lines.encode()) == SecretFound("ci", Secret("s3=cret=="), END)


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ({"headers": {}}, "not one Authorization"),
        ({"headers": ["s3cret"]}, "not one Authorization"),
        ({"headers": {"Authorization": ["Basic a", "Basic b"]}}, "not one Authorization"),
        ({"headers": {"Authorization": ["Basic s3cret"]}}, "neither Basic nor Bearer"),
        ({"headers": {"Authorization": ["Digest s3cret"]}}, "neither Basic nor Bearer"),
        ({"headers": {"Authorization": [5]}}, "not one Authorization"),
        ({"kind": "ExecCredential", "status": {}}, "neither"),
        ({"AccessKeyId": "aws", "SecretAccessKey": 5}, "neither"),
        ({"Username": "ci", "Secret": ""}, "neither"),
        ({"Username": 5, "Secret": "s3cret"}, "username"),
        ({"token": "s3cret", "expires_at": "soon"}, "its end is neither"),
    ],
)
def test_a_form_that_is_not_whole_is_refused_without_being_repeated(printed: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        read(json.dumps(printed).encode())

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: Please run 'az login' to setup account.",
        "fatal: could not read Password",
        "usage: pass show NAME",
        "my-tool: error: no such entry",
        "Warning: nothing was found",
    ],
)
def test_an_error_with_a_good_exit_code_is_no_password(text: str) -> None:
    with pytest.raises(ValueError, match="it is an error, although its exit code is 0: a line of text"):
        read_printed(text.encode())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<html><body>Sign in</body></html>", "it is a page, as for a sign-in in a browser: a line of text"),
        ("<!DOCTYPE html><title>Sign in</title>", "it is a page, as for a sign-in in a browser"),
        ('<?xml version="1.0"?><Error/>', "it is a page, as for a sign-in in a browser"),
        ("[1, 2, 3]", "it is no credential: an array"),
        ('["s3cret"]', "it is no credential: an array"),
    ],
)
def test_a_page_and_an_array_are_no_password(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        read_printed(text.encode())


@pytest.mark.parametrize("text", ["<3-my-password>", "[1-my-password]", "<>", "[x"])
def test_a_password_may_be_in_brackets(text: str) -> None:
    assert read_printed(text.encode()).secret == text


@pytest.mark.parametrize("text", ["correct horse battery staple", "Errors are human", "error", "usage"])
def test_a_password_of_several_words_is_one(text: str) -> None:
    assert read_printed(text.encode()).secret == text
