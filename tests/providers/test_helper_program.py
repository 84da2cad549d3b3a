import asyncio
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.credential import Secret
from broker.core.failures import NotObtained, Refused, Unavailable
from broker.providers import helper_program
from broker.providers.helper_program import SecretFound, ask, checked_username, read
from tests.providers.programs import Workshop, no_more_processes
from tests.providers.tokens import jwt

BY_HAND = "; to read its own message, run the feed's command in a terminal"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = int(NEW_YEAR.timestamp())


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("s3cret", SecretFound(None, Secret("s3cret"))),
        ("s3cret\n", SecretFound(None, Secret("s3cret"))),
        ("  s3cret\r\n", SecretFound(None, Secret("s3cret"))),
        ("\ufeffs3cret\r\n", SecretFound(None, Secret("s3cret"))),
        ('\ufeff{"password": "s3cret"}', SecretFound(None, Secret("s3cret"))),
        (jwt(exp=EPOCH), SecretFound(None, Secret(jwt(exp=EPOCH)), NEW_YEAR)),
        ('{"password": "s3cret"}', SecretFound(None, Secret("s3cret"))),
        ('{"token": "s3cret", "more": [1]}', SecretFound(None, Secret("s3cret"))),
        ('{"password": "p", "token": "t"}', SecretFound(None, Secret("p"))),
        ('{"username": "ci", "password": "s3cret"}', SecretFound("ci", Secret("s3cret"))),
        ('{"token": "t", "expires_at": null}', SecretFound(None, Secret("t"))),
        ('{"token": "t", "expires_at": "2026-01-01T00:00:00Z"}', SecretFound(None, Secret("t"), NEW_YEAR)),
        (
            '{"token": "t", "expires_at": "2026-01-01T02:00:00+02:00"}',
            SecretFound(None, Secret("t"), NEW_YEAR),
        ),
        (f'{{"token": "t", "expires_at": {EPOCH}}}', SecretFound(None, Secret("t"), NEW_YEAR)),
        (f'{{"token": "t", "expires_at": "{EPOCH}"}}', SecretFound(None, Secret("t"), NEW_YEAR)),
        (
            f'{{"token": "{jwt(exp=EPOCH)}", "expires_at": {EPOCH + 60}}}',
            SecretFound(None, Secret(jwt(exp=EPOCH)), NEW_YEAR),
        ),
    ],
)
def test_a_token_or_an_object_is_read(output: str, found: SecretFound) -> None:
    assert read(output.encode()) == found


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\xff\xfes3cret", "not text"),
        (b"two\nlines-s3cret", "one line"),
        ("s3cret€".encode(), "printable ASCII"),
        (b'{"password": "s3cret"', "is not"),
        (b"{" * 50000, "is not"),
        (b'{"username": "ci"}', "neither"),
        (b'{"password": 5}', "neither"),
        (b'{"password": "", "username": "s3cret"}', "neither"),
        (b'{"password": "s3cret\\nmore"}', "one line"),
        (b'{"password": "s3cret", "username": ""}', "username"),
        (b'{"password": "s3cret", "username": "a\\nb"}', "username"),
        (b'{"password": "s3cret", "username": 5}', "username"),
        (b'{"password": "s3cret", "expires_at": "2026-01-01T00:00:00"}', "zone"),
        (b'{"password": "s3cret", "expires_at": "tomorrow"}', "zone"),
        (b'{"password": "s3cret", "expires_at": true}', "zone"),
        (b'{"password": "s3cret", "expires_at": "0001-01-01T00:00:00+14:00"}', "zone"),
        (b'{"password": "s3cret", "expires_at": 1e300}', "zone"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(output: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        read(output)

    assert "s3cret" not in str(raised.value)


@given(
    st.binary(max_size=100) | st.from_regex(r'\{"(password|token|expires_at)": ?.{0,40}\}').map(str.encode)
)
def test_no_output_makes_reading_fail_otherwise(output: bytes) -> None:
    try:
        found = read(output)
    except ValueError:
        return
    assert found.secret.reveal()


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))])
    )
)
def test_an_end_is_the_same_instant_in_utc(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    found = read(f'{{"token": "t", "expires_at": "{moment.isoformat()}"}}'.encode())

    assert found.expires_at == expected
    assert found.expires_at.tzinfo is UTC


async def test_a_program_is_found_on_the_given_path_and_told_the_given_environment(
    workshop: Workshop,
) -> None:
    name = workshop.script("tell", 'printf %s "$SECRET_OF_THE_TEST-$1"')

    found = await ask((name, "two words"), {**workshop.environ, "SECRET_OF_THE_TEST": "s3cret"})

    assert found.secret == Secret("s3cret-two words")


async def test_a_program_may_lie_in_the_home(workshop: Workshop) -> None:
    workshop.file("my fetch", "#!/bin/sh\necho s3cret\n", mode=0o700)

    assert (await ask(["~/my fetch"], workshop.environ)).secret == Secret("s3cret")


async def test_a_program_gets_no_input(workshop: Workshop) -> None:
    name = workshop.script("hungry", "cat; printf done")

    assert (await ask((name,), workshop.environ)).secret == Secret("done")


@pytest.mark.parametrize(
    ("code", "kind", "detail"),
    [
        (1, Unavailable, f"prog ended with exit code 1{BY_HAND}"),
        (125, Unavailable, f"prog ended with exit code 125{BY_HAND}"),
    ],
)
async def test_a_program_that_fails_is_named_with_its_exit_code_only(
    workshop: Workshop, code: int, kind: type[NotObtained], detail: str
) -> None:
    workshop.printer("prog", "s3cret", complaint="s3cret is wrong", code=code)

    with pytest.raises(kind) as raised:
        await ask(("prog", "--password", "s3cret"), workshop.environ)

    assert raised.value.detail == detail
    assert raised.value.hint is None


@pytest.mark.parametrize(
    "body", ["exit 3", "kill -9 $$", "exit 0", "echo usage; echo more", "exec yes", "exec sleep 600"]
)
async def test_a_program_without_arguments_is_the_line_that_repeats_its_failure(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    if "sleep" in body:
        monkeypatch.setattr(helper_program, "PROGRAM_LIMIT_S", 0.05)
    workshop.script("prog", body)

    with pytest.raises(NotObtained) as raised:
        await ask(("prog",), workshop.environ)

    assert raised.value.hint is not None
    assert Path(raised.value.hint).is_absolute()
    assert Path(raised.value.hint).name == "prog"
    assert BY_HAND not in raised.value.detail


def test_the_line_that_repeats_a_failure_works_in_a_shell(workshop: Workshop) -> None:
    workshop.file("my fetch", "#!/bin/sh\necho no vault >&2; exit 3\n", mode=0o700)

    with pytest.raises(Unavailable) as raised:
        asyncio.run(ask(["~/my fetch"], workshop.environ))
    typed = subprocess.run(["sh", "-c", raised.value.hint or ""], capture_output=True, check=False)

    assert (typed.returncode, typed.stderr) == (3, b"no vault\n")


async def test_a_program_that_was_killed_is_unavailable(workshop: Workshop) -> None:
    workshop.script("prog", "kill -9 $$")

    with pytest.raises(Unavailable, match="prog was ended by signal 9"):
        await ask(("prog",), workshop.environ)


async def test_a_program_that_is_not_there_is_refused(workshop: Workshop) -> None:
    with pytest.raises(Refused, match="absent is not on the broker's PATH"):
        await ask(("absent", "s3cret"), workshop.environ)
    with pytest.raises(Refused, match="there is no program /some/where/absent"):
        await ask(("/some/where/absent", "s3cret"), workshop.environ)


async def test_a_program_that_is_there_and_cannot_be_run_says_why(workshop: Workshop) -> None:
    workshop.file("prog", "#!/no/such/python\n", mode=0o700)

    with pytest.raises(
        Refused, match="prog cannot be run: its interpreter /no/such/python is missing"
    ) as raised:
        await ask(["~/prog", "--password", "s3cret"], workshop.environ)

    assert raised.value.hint == str(workshop.home / "prog")


async def test_a_program_that_cannot_be_started_for_now_is_unavailable(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.printer("prog", "s3cret")
    monkeypatch.setattr("subprocess.Popen", no_more_processes)

    with pytest.raises(Unavailable, match=r"prog could not be started: .* no more processes"):
        await ask(("prog",), workshop.environ)


async def test_a_program_that_never_ends_is_stopped(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper_program, "PROGRAM_LIMIT_S", 0.05)
    workshop.script("prog", "exec sleep 600")

    with pytest.raises(Unavailable, match="prog did not end within"):
        await ask(("prog",), workshop.environ)


async def test_a_program_that_prints_without_end_is_refused(workshop: Workshop) -> None:
    workshop.script("prog", "exec yes s3cret")

    with pytest.raises(Refused, match="printed more than 65,536 bytes"):
        await ask(("prog",), workshop.environ)


async def test_a_program_that_prints_no_credential_is_refused(workshop: Workshop) -> None:
    workshop.printer("prog", "usage: prog\n  -h help")

    with pytest.raises(
        Refused, match="prog printed no credential: a token is one line, and it printed 2 lines"
    ):
        await ask(("prog",), workshop.environ)


@pytest.mark.parametrize("username", ["", " ci", "ci ", "a\nb", "ü", 5, None])
def test_a_username_that_no_client_could_send_is_refused(username: object) -> None:
    with pytest.raises(ValueError, match="username"):
        checked_username(username)


BEGUN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("life", "lives_s"),
    [
        ("3600", 3600),
        ('"3600"', 3600),
        ("59.5", 59.5),
        ('"59.5"', 59.5),
        ("315359999", 315359999),
        ("null", None),
    ],
)
def test_life_in_seconds_counts_from_the_programs_start(life: str, lives_s: float | None) -> None:
    found = read(f'{{"token": "t", "expires_in": {life}}}'.encode(), BEGUN)

    assert found.expires_at == (None if lives_s is None else BEGUN + timedelta(seconds=lives_s))


def test_earlier_of_an_end_and_a_life_counts() -> None:
    text = '{"token": "t", "expires_in": 60, "expires_at": "2026-11-21T10:00:00Z"}'

    assert read(text.encode(), BEGUN).expires_at == BEGUN + timedelta(seconds=60)


@pytest.mark.parametrize(
    "life",
    [
        "0",
        "-1",
        "1e400",
        "NaN",
        "true",
        '"soon"',
        '""',
        '"1e9"',
        "[]",
        "{}",
        "315360000",
        '"9999999999999999"',
    ],
)
def test_life_that_is_none_is_refused(life: str) -> None:
    with pytest.raises(ValueError, match=r"^its expires_in is not a number of seconds above 0"):
        read(f'{{"token": "t", "expires_in": {life}}}'.encode(), BEGUN)
