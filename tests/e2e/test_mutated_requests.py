"""Requests that were changed in every way cost nobody anything but their sender: each is answered as the API
says, or hung up on.
"""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.e2e.household import PLAIN_FEED
from tests.e2e.wire import read_answer, request_bytes

if TYPE_CHECKING:
    from tests.e2e.brokerd import Brokerd

LOOK_UP = f"/v1/credential?url={PLAIN_FEED}"
REQUESTS = [
    request_bytes("GET", LOOK_UP),
    request_bytes("GET", LOOK_UP, {"Host": "broker", "Accept": "text/plain", "Connection": "close"}),
    request_bytes("GET", f"{LOOK_UP}&username=ci&wait=1", {"Host": "localhost", "Accept": "*/*"}),
    request_bytes("GET", "/v1/match?url=packages.example"),
    request_bytes("GET", "/v1/health"),
    request_bytes("POST", "/v1/feeds/nobody/forget", {"Host": "broker", "Content-Length": "0"}),
]
PIECES = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b":", b"?", b"&", b"=", b"%", b"%00", b"%2f", b"%zz",
    b"@", b"..", b"//", b"\\", b"\xff", b"\xc3\xa9", b"-1", b"99999999999999999999", b"nan", b"1e999",
    b"Host: broker\r\n", b"Origin: x\r\n", b"Upgrade: h2c\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n", b"Expect: 100-continue\r\n", b"Accept: text/plain\r\n", b"HTTP/1.0", b"HTTP/2",
    b"x" * 5000, b"x" * 20_000,
]  # fmt: skip
"""What parsers trip over."""

STATUSES = {200, 400, 401, 403, 404, 405, 409, 413, 422, 431}
"""What a request can bring about; none of them is a defect of ours."""

MILLION = 1_000_000
ROUND = 1000
"""Hypothesis remembers what it made in a round."""
FEW = 200
LOG_BYTES = 100_000
RSS_GROWTH_KB = 10 * 1024


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A request with one to four pieces of it replaced: by nothing, noise, what trips parsers, another's."""
    request = draw(st.sampled_from(REQUESTS))
    other = st.sampled_from(REQUESTS)
    instead = st.one_of(st.just(b""), st.binary(max_size=8), st.sampled_from(PIECES), other)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(request)))
        stop = draw(st.integers(start, min(len(request), start + 12)))
        request = request[:start] + draw(instead) + request[stop:]
    return request


def is_whole(request: bytes) -> bool:
    """Whether a server has to answer; one that waits for more, or for nothing any more, may hang up."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=16384)
    try:
        parser.receive_data(request)
        while True:
            match parser.next_event():
                case h11.EndOfMessage():
                    return True
                case h11.NEED_DATA | h11.PAUSED:
                    return False
    except h11.RemoteProtocolError:
        return True


def outcome(broker: Brokerd, request: bytes) -> int | None:
    """The status of the answer; None where the daemon hung up without one."""
    with broker.wire.connect() as connection:
        try:
            connection.sendall(request)
            if not is_whole(request):
                connection.shutdown(socket.SHUT_WR)
            return read_answer(connection).status
        except (http.client.HTTPException, ConnectionError):
            return None


def send_many(broker: Brokerd, count: int, number: int) -> None:
    """So many requests, other ones for each number."""

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(request=mutated())
    def is_answered_or_hung_up_on(request: bytes) -> None:
        assert outcome(broker, request) in {*STATUSES, None}

    is_answered_or_hung_up_on()


@pytest.mark.parametrize(
    "rounds",
    [pytest.param(1, id="a few"), pytest.param(MILLION // ROUND, marks=pytest.mark.long, id="a million")],
)
def test_mutated_requests_are_answered_or_hung_up_on(broker: Brokerd, rounds: int) -> None:
    count = ROUND if rounds > 1 else FEW
    send_many(broker, count, 0)
    rss_before_kb, said_before = broker.rss_kb, len(broker.log)

    for number in range(1, rounds):
        send_many(broker, count, number)

    assert broker.wire.look_up(PLAIN_FEED).status == 200
    assert "Traceback" not in broker.log
    assert broker.rss_kb - rss_before_kb < RSS_GROWTH_KB
    assert len(broker.log) - said_before < LOG_BYTES
