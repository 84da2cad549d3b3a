"""The files of the trusted certificate authorities, watched: a changed one counts for the next connection."""

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path

from broker.core.why_not import Topic, WhyNot
from broker.host.authorities import CA_VARIABLES
from broker.host.clock import Clock
from broker.host.file_stamp import file_stamp
from broker.host.http import Http
from broker.host.http_errors import Unreachable

log = logging.getLogger("broker.service")


def stamps_of_authorities(ca: Path | None, environ: Mapping[str, str]) -> Hashable:
    """A value that changes when the configured file does, or one that a variable names. Blocks."""
    named = (environ.get(name) for name in CA_VARIABLES)
    paths = (ca, *(Path(name) for name in named if name))
    return tuple(file_stamp(path) for path in paths if path is not None)


class AuthoritiesWatch:
    """`seen`: the stamps of the files that are in force. Why a changed one is not goes to `why_not`."""

    def __init__(self, seen: Hashable, why_not: WhyNot, clock: Clock) -> None:
        self._seen = seen
        self._why_not = why_not
        self._clock = clock

    async def renew_if_changed(self, stamps: Hashable, http: Http) -> None:
        """Have `http` take the authorities anew where these stamps are others than the last ones."""
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            await http.renew_trust()
        except Unreachable as failure:
            reason = f"the former authorities stay in force: {str(failure).partition(': ')[2]}"
            self._why_not.tell(Topic.CERTIFICATES, reason, at=self._clock.now().wall)
            log.warning("authorities_kept: %s", reason)
        else:
            self._why_not.clear(Topic.CERTIFICATES)
            log.info("authorities_renewed")
