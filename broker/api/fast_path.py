"""The look-up as the shims send it, answered before HTTP begins: without a connection's machinery. Nearly
every request is one of these. All else is left to `asgi.py`.
"""

import re
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, NamedTuple

from broker.api.backend import Backend
from broker.api.lookup import (
    FinalResponse,
    LookupRequest,
    answer_after_fetch,
    answer_at_once,
    lookup_request_of,
)
from broker.api.principal import PeerIds
from broker.core.failures import BadRequest
from broker.core.urls import Service, parse_service

LOOKUP = re.compile(
    rb"GET /v1/credential\?([!-~]+) HTTP/1\.1\r\n"
    rb"Host: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
)
"""What both shims send, to the byte. RFC 9112 allows more, and the long way reads it."""

REMEMBERED = 256
REMEMBERED_BYTES_MAX = 1024
"""So many requests are read once for all, of this size at most: clients ask the same few again and again."""

AT, QUOTED_AT = b"@", b"%40"
"""A request that contains one of these may hold a password in its URL, so it is not remembered."""


class Asked(NamedTuple):
    """A request, read."""

    question: LookupRequest
    service: Service


Coming = Coroutine[Any, Any, FinalResponse]


def replies_of(backend: Backend) -> Callable[[bytes, PeerIds], FinalResponse | Coming | None]:
    """What answers the first words of a peer at the user's own socket; None where HTTP has to answer."""

    def reply(words: bytes, peer: PeerIds) -> FinalResponse | Coming | None:
        is_remembered = len(words) <= REMEMBERED_BYTES_MAX and AT not in words and QUOTED_AT not in words
        asked = _read_before(words) if is_remembered else _read(words)
        if asked is None:
            return None
        at_once = answer_at_once(backend, asked.question, asked.service, peer)
        return at_once or answer_after_fetch(backend, asked.question, asked.service, peer)

    return reply


def _read(words: bytes) -> Asked | None:
    """The look-up that the words ask for, or None where the long way shall tell what is wrong with them."""
    lookup = LOOKUP.fullmatch(words)
    question = None if lookup is None else lookup_request_of(lookup[1])
    try:
        return None if question is None else Asked(question, parse_service(question.url))
    except BadRequest:
        return None


_read_before = lru_cache(REMEMBERED)(_read)
