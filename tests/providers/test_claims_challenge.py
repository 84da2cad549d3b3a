"""What counts as a claims challenge in a feed's 401, and how its claims are written for a command line."""

import base64
import json

import pytest

from broker.providers.claims_challenge import CLAIMS_BYTES, HEADER_BYTES, claims_wanted, encoded

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"},"ip":{"value":"10.0.0.1"}}}'
STANDARD = base64.b64encode(CLAIMS.encode()).decode()
TELLING = '{"a":"~~~???>>>"}'  # its base64 has the characters in which the two alphabets differ
ALPHABETS = (base64.b64encode(TELLING.encode()).decode(), base64.urlsafe_b64encode(TELLING.encode()).decode())


def challenge(claims: str, error: str = ', error="insufficient_claims"') -> str:
    return f'Bearer realm="", authorization_uri="https://login.example/x"{error}, claims="{claims}"'


@pytest.mark.parametrize(
    "values",
    [
        [challenge(STANDARD)],
        [challenge(STANDARD.rstrip("="))],
        [challenge(STANDARD, error=', error="invalid_token"')],
        [f"bearer claims={STANDARD.rstrip('=')}"],
        ["TFS-Federated", 'Basic realm="https://feed.example/"', challenge(STANDARD)],
        [f'Basic realm="x", {challenge(STANDARD)}, TFS-Federated'],
        [challenge(STANDARD), challenge(STANDARD)],
        [challenge(STANDARD, error=r', error_description="it is \"Continuous Access\", claims=\"none\""')],
        [challenge(STANDARD, error=r', error_description="C:\\"')],
        [f'Bearer claims = "{STANDARD}" , error = "insufficient_claims"'],
        [f'BEARER\tCLAIMS="{STANDARD}"'],
        [f'Negotiate YII=, Digest qop="auth", {challenge(STANDARD)}'],
        [f"{challenge(STANDARD)},"],
    ],
)
def test_claims_are_read_from_a_bearer_challenge(values: list[str]) -> None:
    assert claims_wanted(values) == CLAIMS


@pytest.mark.parametrize("written", ALPHABETS)
def test_either_alphabet_is_read_and_the_one_of_az_is_written(written: str) -> None:
    claims = claims_wanted([challenge(written)])

    assert claims == TELLING
    assert base64.b64decode(encoded(claims).encode("latin-1")).decode("latin-1") == TELLING


def test_claims_beyond_ascii_are_written_in_ascii() -> None:
    claims = claims_wanted([challenge(base64.b64encode('{"a":"é\u202e"}'.encode()).decode())])

    assert claims is not None
    assert claims.isascii()
    assert json.loads(claims) == {"a": "é\u202e"}


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["Bearer"],
        ["Bearer authorization_uri=https://login.example/x"],
        [challenge("")],
        [challenge("$(touch /tmp/x)")],
        [challenge("e30=; rm -rf ~")],
        [challenge("AAAA")],
        [challenge(base64.b64encode(b"[1]").decode())],
        [challenge(base64.b64encode(b"\xff\xfe").decode())],
        [challenge(base64.b64encode(b'{"a":' * 500).decode())],
        [challenge(base64.b64encode(json.dumps({"a": "x" * CLAIMS_BYTES}).encode()).decode())],
        [challenge(STANDARD) + " " * HEADER_BYTES],
        [f'Basic realm="x", claims="{STANDARD}"'],
        [f'Basic realm="Bearer claims={STANDARD}"'],
        [challenge(STANDARD), challenge(base64.b64encode(b"{}").decode())],
    ],
    ids=range(15),
)
def test_anything_else_is_no_claims_challenge(values: list[str]) -> None:
    assert claims_wanted(values) is None
