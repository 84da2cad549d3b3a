"""The two shims are one program: whatever is asked and whatever is answered, they say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract import answer_tables
from tests.contract.conftest import Session, installed
from tests.contract.scripted_broker import ScriptedBroker, answers, credential, sends
from tests.contract.shims import Ended, Shim, compiler

URL = "https://feed.example/simple/"
ONE_RUN = settings(
    deadline=None,  # processes are started; the suite as a whole has a limit
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],  # the broker's script is set anew each time
)
PROBLEMS = [answer_tables.ok(line.encode()) for line in answer_tables.PROBLEMS.values()]
ANSWERS = [
    each
    for each in (*answer_tables.GOOD.values(), *answer_tables.MALFORMED.values(), *PROBLEMS)
    if len(each) < 1000
]
PIECES = [
    b"",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b" ",
    b"\0",
    b"200",
    b"404",
    b"503",
    b":",
    b"content-length: 5\r\n",
    b"\xc2\x9b",
]


@pytest.fixture
def both(session: Session, environment: dict[str, str], place: Path) -> tuple[Shim, Shim]:
    """The native shim, watched by the sanitizers, and the Python one."""
    if compiler() is None:
        pytest.skip("no C compiler here: the native shim cannot be built")
    native, python = (
        Shim(installed(session, kind), environment, place / "empty") for kind in ("sanitized", "python")
    )
    return native, python


@st.composite
def damaged_answers(draw: st.DrawFn) -> bytes:
    """Answers of the tables with a few stretches replaced."""
    answer = draw(st.sampled_from(ANSWERS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(answer)))
        end = draw(st.integers(start, min(len(answer), start + 8)))
        answer = answer[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=4)) + answer[end:]
    return answer


@ONE_RUN
@given(answer=damaged_answers())
def test_any_answer_means_the_same_to_both(
    both: tuple[Shim, Shim], broker: ScriptedBroker, answer: bytes
) -> None:
    # An answer of no bytes at all is a connection that closed: asked for twice by both.
    broker.will(sends(answer))

    native, python = (shim("--mode=creds", "--output=json", "get", URL) for shim in both)

    assert native == python


WORDS = (
    "get",
    "set",
    URL,
    "Fred",
    "",
    "-",
    "--",
    "-x",
    "--help",
    "creds",
    "password",
    "json",
    "plain",
    "xml",
)
OPTIONS = (
    "--mode",
    "--output",
    "--mode=",
    "--mode=creds",
    "--mode=password",
    "--output=json",
    "--output=plain",
    "--m",
)


@ONE_RUN
@given(arguments=st.lists(st.sampled_from(WORDS + OPTIONS), max_size=6))
def test_any_arguments_mean_the_same_to_both(
    both: tuple[Shim, Shim], broker: ScriptedBroker, arguments: list[str]
) -> None:
    seen: list[tuple[Ended, list[str | None]]] = []
    for shim in both:
        broker.requests.clear()
        broker.will(credential("Ann", "s3cret"))
        ended = shim(*arguments)
        seen.append((ended, [request.query.get("username") for request in broker.requests]))

    assert seen[0] == seen[1]


@ONE_RUN
@given(
    service=st.binary(min_size=1, max_size=40), username=st.binary(max_size=40), line=st.binary(max_size=40)
)
def test_any_bytes_are_the_same_to_both(
    both: tuple[Shim, Shim], broker: ScriptedBroker, service: bytes, username: bytes, line: bytes
) -> None:
    service, username = service.replace(b"\0", b"0"), username.replace(b"\0", b"0")
    line = line.decode(errors="replace").encode()  # the daemon speaks UTF-8
    seen: list[tuple[Ended, list[str]]] = []
    for shim in both:
        broker.requests.clear()
        broker.will(answers(503, line))
        ended = shim("get", service, username)
        seen.append((ended, [request.target.split("&wait=")[0] for request in broker.requests]))

    assert seen[0] == seen[1]
