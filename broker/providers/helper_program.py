"""A program that prints a credential, in one of the forms of `credential_formats.py`: a token alone is the
simplest.

Its end is RFC 3339 with a zone, or seconds since 1970; or `expires_in` seconds from now. No shell is
involved. What the program prints is never part of a message.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from broker.core.credential import Secret, unanswerable_username
from broker.core.failures import NotObtained, Refused, Unavailable
from broker.host.clock import SystemClock
from broker.host.process import run
from broker.host.program_search import search
from broker.host.run_failure import CannotRun, NoResources, NotFound, TimedOut, TooMuchOutput
from broker.providers.credential_formats import read_printed
from broker.providers.expiry import earliest, end_after, end_of
from broker.providers.home import expand
from broker.providers.jwt import expiry_of

ANY_USERNAME = "__token__"
"""What index servers take beside a token unless configured otherwise: PyPI's convention."""

PROGRAM_LIMIT_S = 30.0
"""Tools that fetch tokens over a network were seen to take 13 s (azure-cli#20404)."""

PROGRAM_OUTPUT_BYTES = 65536
"""Tokens stay under 8,000 characters."""


@dataclass(frozen=True, slots=True)
class SecretFound:
    """A secret and what came with it: the username it is for and its end in UTC, where known."""

    username: str | None
    secret: Secret
    expires_at: datetime | None = None


def found(text: object, username: object = None, expires_at: datetime | None = None) -> SecretFound:
    """The secret and its end, a JWT's own one included. Raises ValueError for what no client could send."""
    secret, person = Secret(text), None if username is None else checked_username(username)
    return SecretFound(person, secret, earliest(expires_at, expiry_of(secret.reveal())))


def token_of(text: object) -> Secret:
    """The token, which no blank is part of (RFC 6750 section 2.1). Raises ValueError for anything else."""
    token = Secret(text)
    if any(letter.isspace() for letter in token.reveal()):
        raise ValueError("a token has no blanks")
    return token


def wall_clock() -> datetime:
    """The present in UTC, for callers without a clock of their own."""
    return SystemClock().now().wall


async def ask(
    argv: Sequence[str], environ: Mapping[str, str], now: Callable[[], datetime] = wall_clock
) -> SecretFound:
    """Run the program and return the credential it printed.

    Raises Refused when there is no such program, when it cannot be run or what it prints is no credential,
    Unavailable when it cannot be started for now, fails or takes longer than PROGRAM_LIMIT_S. Its own words
    stay unread, as their content is unknown: the failure says how to run it by hand and read them.
    """
    program, begun = PurePath(argv[0]).name, now()
    first = str(expand(argv[0], environ)) if argv[0].startswith("~/") else argv[0]  # as in a secret's `file:`
    try:
        finished = await run(
            (first, *argv[1:]), env=environ, limit_s=PROGRAM_LIMIT_S, output_bytes=PROGRAM_OUTPUT_BYTES
        )
    except NotFound:
        is_path = "/" in argv[0]
        raise Refused(
            f"there is no program {argv[0]}" if is_path else f"{program} is not on the broker's PATH"
        ) from None
    except (CannotRun, NoResources) as failure:
        raise not_started(program, failure, _line(first, environ)) from None
    except TimedOut:
        why = f"{program} did not end within {PROGRAM_LIMIT_S:.0f} s and was stopped"
        raise _by_hand(Unavailable, why, first, argv, environ) from None
    except TooMuchOutput:
        why = f"{program} printed more than {PROGRAM_OUTPUT_BYTES:,} bytes"
        raise _by_hand(Refused, why, first, argv, environ) from None
    try:
        check_started(program, finished.code)
    except Refused as failure:
        raise _by_hand(Refused, failure.detail, first, argv, environ) from None
    if finished.code < 0:
        why = f"{program} was ended by signal {-finished.code}"
        raise _by_hand(Unavailable, why, first, argv, environ)
    if finished.code > 0:
        why = f"{program} ended with exit code {finished.code}"
        raise _by_hand(Unavailable, why, first, argv, environ)
    try:
        return read(finished.stdout, begun)
    except ValueError as error:
        why = f"{program} printed no credential: {error}"
        raise _by_hand(Refused, why, first, argv, environ) from None


def _by_hand(
    kind: type[Refused | Unavailable], why: str, first: str, argv: Sequence[str], environ: Mapping[str, str]
) -> Refused | Unavailable:
    """The failure, with the line that repeats it in a terminal, where the program's own words are seen.

    Arguments may hold secrets and are never shown: of a program with some, the configuration has that line.
    """
    if len(argv) > 1:
        return kind(f"{why}; to read its own message, run the feed's command in a terminal", hint=None)
    return kind(why, hint=_line(first, environ))


def _line(first: str, environ: Mapping[str, str]) -> str:
    program = search(first, environ.get("PATH", ""))
    return shlex.quote(first if program is None else program.path)


def not_started(name: str, failure: CannotRun | NoResources, repeat: str | None = None) -> NotObtained:
    """Why the program, called `name` in messages, was not started: only a shortage passes by itself.

    `repeat` is the line with which a shell fails to run it, too.
    """
    if isinstance(failure, NoResources):
        return Unavailable(f"{name} could not be started: {failure.reason}")
    return Refused(f"{name} cannot be run: {failure.reason}", hint=repeat)


_NOT_STARTED = {
    126: "a program that it starts cannot be run (exit code 126)",
    127: "a program that it starts is missing (exit code 127)",
}
"""What a shell and env(1) say by their exit code (POSIX, Shell Command Language, 2.8.2): many tools are
wrappers, as Debian's az, which starts /opt/az/bin/python3.
"""


def check_started(name: str, code: int, repeat: str | None = None) -> None:
    """Raise Refused, with the line that repeats it, where the exit code says that what the program is a
    wrapper of was not started.
    """
    if code in _NOT_STARTED:
        raise Refused(f"{name} cannot be run: {_NOT_STARTED[code]}", hint=repeat)


def read(output: bytes, begun: datetime | None = None) -> SecretFound:
    """What a program's output says. Raises ValueError that tells what is wrong, without any of the output.

    A life in seconds counts from `begun`, when the program was started: rather too short than too long.
    """
    printed = read_printed(output)
    ends = end_of(printed.ends)
    if printed.lives is not None:
        ends = earliest(ends, end_after(printed.lives, begun or wall_clock()))
    return found(printed.secret, printed.username, ends)


def one_line(text: str) -> str:
    """The text, if it can be told in one line; else raises ValueError."""
    if not text or not text.isprintable():
        raise ValueError("write one line of text")
    return text


def checked_username(username: object) -> str:
    """The username, if it can stand in an answer (`unanswerable_username`); else raises ValueError."""
    wrong = unanswerable_username(username) if isinstance(username, str) else "no text"
    if not isinstance(username, str) or wrong is not None:
        raise ValueError(f"the username is {wrong}")
    return username
