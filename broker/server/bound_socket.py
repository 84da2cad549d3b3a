"""BoundSocket: the socket that we listen on. A service manager's where it handed one over, else our own."""

import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Self

from broker.server.listen import BY_VARIABLE, Listener, identity_at, take
from broker.server.socket_activation import FD_NAME, from_launchd, from_systemd


class BoundSocket:
    """The listening socket. `close` removes the file of our own; a manager's stays."""

    def __init__(self, listening: socket.socket, path: Path, taken: Listener | None) -> None:
        self.socket = listening
        self.path = path
        self._taken = taken
        self._identity = identity_at(path)

    @classmethod
    def handed(cls, environ: MutableMapping[str, str], *, system: bool = False) -> Self | None:
        """The socket that a service manager handed over, if one did; raises BadActivation."""
        given = from_systemd(environ, system=system) or from_launchd(FD_NAME)
        return None if given is None else cls(given, Path(given.getsockname()), None)

    @classmethod
    def get(
        cls, path: Path, environ: MutableMapping[str, str], *, named_by: str | None = BY_VARIABLE
    ) -> Self:
        """The socket that was handed over, or one taken at `path`; raises what `take` and `handed` raise."""
        handed = cls.handed(environ)
        if handed is not None:
            return handed
        taken = take(path, named_by=named_by)
        return cls(taken.socket, path, taken)

    def is_lost(self) -> bool:
        """True when clients that connect by the path no longer reach us. Cheap; never raises.

        A manager's socket counts as lost only if we saw it there before: a sandbox may hide it.
        """
        if self._taken is not None:
            return not self._taken.is_still_ours()
        return self._identity is not None and identity_at(self.path) != self._identity

    @property
    def is_managers(self) -> bool:
        """True when a service manager holds the socket, and only it can make another."""
        return self._taken is None

    def close(self) -> None:
        """Give back what we took."""
        if self._taken is not None:
            self._taken.close()
        else:
            self.socket.close()
