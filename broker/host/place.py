"""Place: where we listen. A service manager's socket when it handed one over, else one that we take."""

import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Self

from broker.host.handed import FD_NAME, from_launchd, from_systemd
from broker.host.listen import Listener, take


class Place:
    """The listening socket and what becomes of it at the end: ours is removed, a manager's stays."""

    def __init__(self, listening: socket.socket, path: Path, taken: Listener | None) -> None:
        self.socket = listening
        self.path = path
        self._taken = taken

    @classmethod
    def handed(cls, environ: MutableMapping[str, str]) -> Self | None:
        """The socket that a service manager handed over, if one did; raises BadHandover."""
        given = from_systemd(environ) or from_launchd(FD_NAME)
        return None if given is None else cls(given, Path(given.getsockname()), None)

    @classmethod
    def get(cls, path: Path, environ: MutableMapping[str, str]) -> Self:
        """The socket that was handed over, or one taken at `path`; raises what `take` and `handed` raise."""
        handed = cls.handed(environ)
        if handed is not None:
            return handed
        taken = take(path)
        return cls(taken.socket, path, taken)

    def is_lost(self) -> bool:
        """True when clients that go by the path no longer reach us."""
        return self._taken is not None and not self._taken.is_still_ours()

    def close(self) -> None:
        """Give back what we took."""
        if self._taken is not None:
            self._taken.close()
        else:
            self.socket.close()
