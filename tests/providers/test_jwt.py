import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.providers.jwt import TOKEN_CHARACTERS_MAX, claims_of, expiry_of
from tests.providers.tokens import jwt


def _payload(raw: bytes) -> str:
    return f"e30.{base64.urlsafe_b64encode(raw).decode()}.x"


def test_claims_are_read_without_a_key() -> None:
    assert claims_of(jwt(tid="t", exp=5)) == {"tid": "t", "exp": 5}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c.d",
        "..",
        ".e30.x",
        "e30..x",
        "e30.!!!.x",
        "e30.e30=e30.x",
        _payload(b"[1]"),
        _payload(b"5"),
        _payload(b"{"),
        _payload(b"\xff\xfe"),
        _payload(b"[" * 40000),
        _payload(b'{"exp":' + b"9" * 5000 + b"}"),
        jwt(exp=5, padding="x" * TOKEN_CHARACTERS_MAX),
    ],
)
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert claims_of(token) == {}


def test_an_expiry_is_the_exp_claim() -> None:
    assert expiry_of(jwt(exp=1767225600)) == datetime(2026, 1, 1, tzinfo=UTC)
    assert expiry_of(jwt(iat=1767225600)) is None


@given(st.text(max_size=200) | st.binary(max_size=200).map(_payload))
def test_nothing_makes_reading_raise(token: str) -> None:
    claims_of(token)
    expiry_of(token)
