import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.secret_source import (
    CommandSecret,
    CredentialSecret,
    EnvSecret,
    FileSecret,
    KeyringSecret,
    NetrcSecret,
    SecretSource,
    brings_username,
    manual_renewal,
    parse,
    parse_argv,
    shown,
    sources_of,
    spell,
)

SPELLINGS: list[tuple[str, SecretSource]] = [
    ("env:ARTIFACTORY_TOKEN", EnvSecret("ARTIFACTORY_TOKEN")),
    ("file:/etc/token", FileSecret("/etc/token")),
    ("file:~/.token", FileSecret("~/.token")),
    ("credential:corp-secret", CredentialSecret("corp-secret")),
    ("keyring:gitlab-pat", KeyringSecret("gitlab-pat")),
    ("keyring:gitlab-pat:ci", KeyringSecret("gitlab-pat", "ci")),
    ("keyring:https://packages.example.com/simple", KeyringSecret("https://packages.example.com/simple")),
    ("keyring:https://packages.example.com:ci", KeyringSecret("https://packages.example.com", "ci")),
    ("netrc", NetrcSecret()),
]


@pytest.mark.parametrize(("text", "source"), SPELLINGS)
def test_a_place_is_parsed_and_spelt_alike(text: str, source: SecretSource) -> None:
    assert parse(text) == source
    assert spell(source) == shown(source) == text


def test_a_command_is_split_into_words_without_a_shell() -> None:
    assert parse("command:pass show 'corp token' $HOME") == CommandSecret(
        ("pass", "show", "corp token", "$HOME")
    )


def test_a_command_is_shown_without_its_words() -> None:
    source = CommandSecret(("/opt/bin/fetch", "--password", "s3cret"))

    assert shown(source) == "command:fetch"
    assert "s3cret" not in spell(source)
    assert spell(source) != spell(CommandSecret(("/opt/bin/fetch", "--password", "other")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3cret",
        "glpat-s3cret",
        "s3cret:with:colons",
        "netrc:s3cret",
        "ENV:s3cret",
        "env:",
        "env:s3cret-token",
        "env:$s3cret",
        "file:",
        "file:s3cret.txt",
        "file:../s3cret",
        "file:/s3cret\x00",
        "keyring:",
        "keyring:s3cret\nmore",
        "command:",
        "command:prog s3cret\x00",
        "command:  ",
        "command:'s3cret",
        "command:'' s3cret",
        5,
        None,
        ["env:s3cret"],
    ],
)
def test_anything_else_is_refused_with_what_to_write_and_without_repeating_it(text: object) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse(text)

    assert "s3cret" not in str(raised.value)


@given(st.text(max_size=40))
def test_parsing_gives_a_source_or_a_value_error(text: str) -> None:
    try:
        source = parse(text)
    except ValueError:
        return
    assert spell(source)


def test_a_command_may_be_words_or_one_line() -> None:
    assert parse_argv(["pass", "show", "corp token"]) == parse_argv("pass show 'corp token'")


@pytest.mark.parametrize("command", [5, None, ["pass", 5], [], "", [" "], ["pass", "\0"]])
def test_what_no_program_can_be_started_with_is_refused(command: object) -> None:
    with pytest.raises(ValueError, match=r"^(a command|no program)"):
        parse_argv(command)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("fetch",), "command:fetch"),
        (("/opt/bin/fetch",), "command:fetch"),
        (("~/bin/fetch/",), "command:fetch"),
    ],
)
def test_a_command_is_told_by_its_program(argv: tuple[str, ...], told: str) -> None:
    assert shown(CommandSecret(argv)) == told


def test_only_a_command_brings_the_next_secret_without_a_person() -> None:
    assert manual_renewal(CommandSecret(("fetch",))) is None
    assert manual_renewal(EnvSecret("TOKEN")) == "put another into env:TOKEN"


@pytest.mark.parametrize(
    ("text", "may"), [("netrc", True), ("command:fetch", True), ("keyring:corp", False), ("env:X", False)]
)
def test_netrc_and_a_command_may_bring_the_username(text: str, *, may: bool) -> None:
    assert brings_username(parse(text)) is may


def test_a_feed_names_its_secrets_in_two_keys_and_what_is_none_is_left_out() -> None:
    assert sources_of({"secret": "env:A", "refresh": "file:~/b", "url": "env:C"}) == [
        EnvSecret("A"),
        FileSecret("~/b"),
    ]
    assert sources_of({"secret": "s3cret"}) == sources_of({}) == []
