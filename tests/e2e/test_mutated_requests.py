"""Requests that were changed in every way cost nobody anything but their sender: each is answered as the API
says, or hung up on.
"""

from __future__ import annotations

import http.client
import socket
from itertools import islice
from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.e2e.household import PLAIN_FEED
from tests.e2e.wire import read_answer, request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

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
FEW = 200
AT_ONCE = 20
"""The requests of one example: to make one costs hypothesis as much as the daemon's answers to several."""
NOISE_BYTES = 30
"""What one request is made of, or a little more."""
ROUND = 200
"""Hypothesis remembers the examples of a round."""
LOG_BYTES = 100_000
RSS_GROWTH_KB = 10 * 1024


def mutated(noise: Iterator[int]) -> bytes:
    """A request with one to four pieces of it replaced: by nothing, noise, what trips parsers, another's."""

    def below(end: int) -> int:
        return (next(noise, 0) * 256 + next(noise, 0)) % end

    request = REQUESTS[below(len(REQUESTS))]
    for _ in range(1 + below(4)):
        start = below(len(request) + 1)
        stop = start + below(13)
        match below(4):
            case 0:
                instead = b""
            case 1:
                instead = bytes(islice(noise, below(9)))
            case 2:
                instead = PIECES[below(len(PIECES))]
            case _:
                instead = REQUESTS[below(len(REQUESTS))]
        request = request[:start] + instead + request[stop:]
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


def send_round(broker: Brokerd, examples: int, number: int) -> None:
    """So many examples of `AT_ONCE` requests, other ones for each number."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(noise=st.binary(min_size=AT_ONCE * NOISE_BYTES, max_size=AT_ONCE * NOISE_BYTES))
    def are_answered_or_hung_up_on(noise: bytes) -> None:
        bytes_of_noise = iter(noise)
        for _ in range(AT_ONCE):
            request = mutated(bytes_of_noise)
            assert outcome(broker, request) in {*STATUSES, None}, request

    are_answered_or_hung_up_on()


@pytest.mark.parametrize(
    ("rounds", "examples"),
    [
        pytest.param(1, FEW // AT_ONCE, id="a few"),
        pytest.param(MILLION // AT_ONCE // ROUND, ROUND, marks=pytest.mark.long, id="a million"),
    ],
)
def test_mutated_requests_are_answered_or_hung_up_on(broker: Brokerd, rounds: int, examples: int) -> None:
    send_round(broker, examples, 0)
    rss_before_kb, said_before = broker.rss_kb, len(broker.log)

    for number in range(1, rounds):
        send_round(broker, examples, number)

    assert broker.wire.look_up(PLAIN_FEED).status == 200
    assert "Traceback" not in broker.log
    assert broker.rss_kb - rss_before_kb < RSS_GROWTH_KB
    assert len(broker.log) - said_before < LOG_BYTES
