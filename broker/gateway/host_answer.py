"""A host's answer, read as strictly as a request: what can be read in two ways is none."""

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

import h11

from broker.gateway.inbox import Inbox, TooLargeError
from broker.gateway.request_head import HOP_BY_HOP, nominated

PROXY_LOGIN = 407


class BadAnswerError(Exception):
    """A host answered with what is no HTTP/1.1, or can be read in two ways."""


class Framing(Enum):
    """How the end of a body is found, where its length is not known."""

    CHUNKED = "chunked"
    UNTIL_END = "the connection's end"


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """An answer's head. `fields` are those that a client may see, `framing` says how its body ends (a number
    of bytes, or one of Framing); `keeps`: the connection may carry another request.
    """

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    framing: int | Framing
    keeps: bool


async def final_answer(talk: h11.Connection, inbox: Inbox, *, is_head: bool) -> HostAnswer:
    """What the host says to the request that `talk` has sent; `is_head`: it was a HEAD. Waits without an end.

    Raises BadAnswerError, OSError.
    """
    while True:
        try:
            head = await inbox.head(idle_s=None, head_s=None)
            if head is None:
                raise BadAnswerError("hung up without an answer")
            talk.receive_data(head)
            event = talk.next_event()
        except TooLargeError:
            raise BadAnswerError("answered with too many header fields") from None
        except ConnectionError:
            raise BadAnswerError("hung up without a whole answer") from None
        except h11.ProtocolError:
            raise BadAnswerError("did not answer in HTTP/1.1") from None
        if isinstance(event, h11.Response):
            return _read(event, is_head=is_head)
        if (
            not isinstance(event, h11.InformationalResponse)
            or event.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        ):
            raise BadAnswerError("changed the protocol without being asked")


def _read(answer: h11.Response, *, is_head: bool) -> HostAnswer:
    if answer.status_code == PROXY_LOGIN:
        raise BadAnswerError("asked for the password of a proxy")
    lengths = [value for name, value in answer.headers if name == b"content-length"]
    codings = [value for name, value in answer.headers if name == b"transfer-encoding"]
    named = set().union(*(nominated(value) for name, value in answer.headers if name == b"connection"))
    if lengths and (codings or b"content-length" in named):
        raise BadAnswerError("answered with a length that can be read in two ways")
    framing: int | Framing
    if answer.status_code in {204, 304} or is_head:
        framing = 0
    elif codings:
        framing = Framing.CHUNKED
    elif lengths:
        framing = int(lengths[0])
    else:
        framing = Framing.UNTIL_END
    dropped = HOP_BY_HOP | named
    fields = tuple((name, value) for name, value in answer.headers if name not in dropped)
    keeps = answer.http_version == b"1.1" and b"close" not in named and framing is not Framing.UNTIL_END
    return HostAnswer(answer.status_code, answer.reason, fields, framing, keeps)
