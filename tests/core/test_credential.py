"""A secret shows itself to nobody by accident."""

import copy
import pickle
from dataclasses import asdict

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused

MARKER = "TBKTEST-0123"
CREDENTIAL = Credential("ci", Secret(MARKER), None, "env:X")


@pytest.mark.parametrize(
    "shown", [repr(CREDENTIAL), str(CREDENTIAL), f"{CREDENTIAL.secret}", f"{CREDENTIAL}"]
)
def test_a_secret_prints_as_stars(shown: str) -> None:
    assert MARKER not in shown
    assert "****" in shown
    assert "*****" not in shown
    assert repr(CREDENTIAL.secret) == "****"


def test_reveal_is_the_one_way_to_its_text() -> None:
    assert CREDENTIAL.secret.reveal() == MARKER


def test_a_secret_is_never_pickled_or_copied() -> None:
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^a secret is never pickled or copied$"):
            leak(CREDENTIAL.secret)
    with pytest.raises(TypeError, match=r"^a secret is never pickled or copied$"):
        asdict(CREDENTIAL)


@pytest.mark.parametrize(
    "text",
    ["", " ", " x", "x ", "a\nb", "x\r", "ä", "€", "a\tb", "\x00", "\x7f", None, 5, True, [], {"a": 1}, b"x"],
)
def test_what_clients_cannot_send_is_no_secret(text: object) -> None:
    with pytest.raises(
        ValueError, match=r"^a secret must be one line of printable ASCII without blanks at its ends$"
    ):
        Secret(text)


@pytest.mark.parametrize("text", ["x==", "a b", "=%@+:/?#& \"'\\$x", "~"])
def test_every_printable_character_is_allowed_within(text: str) -> None:
    assert Secret(text).reveal() == text


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert {Secret("a"), Secret("a"), Secret("b")} == {Secret("a"), Secret("b")}
    assert hash(Secret("a")) != hash(Secret("b"))


@pytest.mark.parametrize(
    "username", ["", " me", "me ", "me\nevil", "m\te", "\x00", "\x7f", "jürgen", "\udcfc", "m" * 1025]
)
def test_username_that_cannot_stand_in_an_answer_makes_no_credential(username: str) -> None:
    with pytest.raises(Refused, match=r"^the username from netrc cannot stand in an answer: it is "):
        Credential(username, Secret("x"), None, "netrc")
