import pytest

from broker.providers.codeartifact.provider import SDK
from broker.providers.sdk_words import MESSAGE_CHARACTERS, named

TELLS = frozenset({"ConfigParseError"})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "ConfigParseError: Unable to parse config file: /home/dev/.aws/config",
            "ConfigParseError: Unable to parse",
        ),
        (
            "botocore.exceptions.ConfigParseError: Unable to parse",
            "failed: ConfigParseError: Unable to parse",
        ),
        (
            "CredentialRetrievalError: Error when retrieving credentials: s3cret",
            "failed: CredentialRetrievalError",
        ),
        ("Traceback (most recent call last):\n  File x\n    s3cret\nKeyError: 's3cret'", "failed: KeyError"),
        ("ConfigParseError: s3\x1b[31mcret", "failed: ConfigParseError"),
        ("s3cret", "failed without a word that can be told"),
        ("s3cret: ConfigParseError", "failed without a word that can be told"),
        ("", "failed without a word that can be told"),
    ],
)
def test_an_sdks_failure_is_its_class_and_the_text_that_is_its_own(words: str, told: str) -> None:
    said = named(SDK, words, TELLS)

    assert told in said
    assert said.startswith("boto3 failed")
    assert said.isprintable()
    assert "s3cret" not in said


def test_a_long_message_is_cut() -> None:
    assert len(named("boto3", f"ConfigParseError: {'x' * 999}", TELLS)) < MESSAGE_CHARACTERS + 40
