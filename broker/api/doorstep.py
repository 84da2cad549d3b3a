"""The look-up as the shims send it, answered on the doorstep: without a connection's machinery, where no
fetch is needed. Nearly every request is one of these. All else is left to `front.py`.
"""

import re
from collections.abc import Callable

from broker.api.guests import Peer
from broker.api.inquiry import answer_at_once, question_of
from broker.api.office import Office

LOOKUP = re.compile(
    rb"GET /v1/credential\?([!-~]+) HTTP/1\.1\r\n"
    rb"Host: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
)
"""What both shims send, to the byte. RFC 9112 allows more, and the long way reads it."""


def replies_of(office: Office) -> Callable[[bytes, Peer], bytes | None]:
    """What answers the first words of a peer at the user's own socket; None: not on the doorstep.

    The answer is whole, and the last on its connection.
    """

    def reply(words: bytes, peer: Peer) -> bytes | None:
        lookup = LOOKUP.fullmatch(words)
        question = None if lookup is None else question_of(lookup[1])
        answer = None if question is None else answer_at_once(office, question, peer)
        return None if answer is None else answer.written()

    return reply
