import base64
import json
from datetime import UTC, datetime

import pytest

from broker.core.credential import Secret
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
    "ours": ({"token": "s3cret", "expires_at": RFC3339}, SecretFound(None, Secret("s3cret"), END)),
}


@pytest.mark.parametrize(("printed", "found"), FORMS.values(), ids=FORMS.keys())
def test_every_form_of_json_is_read(printed: object, found: SecretFound) -> None:
    assert read(json.dumps(printed).encode()) == found


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
