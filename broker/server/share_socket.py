"""ShareListener: a second listening socket, alone in a folder that can be shown to a container.

A container has the folder mounted, so the folder stays when the socket is made anew or removed. Nothing that
a container could change there is relied on: links are not followed, and no file in it is ever read.
"""

import contextlib
import os
import socket
from pathlib import Path
from typing import Self

from broker.server.listen import (
    FileIdentity,
    NotListening,
    bind,
    identity_at,
    own_directory,
    refuse_what_no_socket_can_have,
)

SOCKET_NAME = "broker.sock"


class ShareListener:
    """A listening socket at `path`, 0600 in a folder of ours that is 0700, until `close`."""

    def __init__(self, listening: socket.socket, path: Path, identity: FileIdentity, folder: int) -> None:
        self.socket = listening
        self.path = path
        self._identity = identity
        self._folder = folder

    @classmethod
    def at(cls, folder: Path) -> Self:
        """A ShareListener in `folder`, made when missing; the broker's directory, two levels up, is not.

        Only the broker that serves there may call this: it does not look for another process's socket. Raises
        NotListening.
        """
        path = folder / SOCKET_NAME
        refuse_what_no_socket_can_have(path)
        base = folder.parent.parent
        if not base.is_dir():
            raise NotListening(f"the daemon cannot see {base}, where shares are", hint="brokerctl setup")
        with contextlib.ExitStack() as undo:
            os.close(own_directory(folder.parent))
            descriptor = own_directory(folder)
            undo.callback(os.close, descriptor)
            listening, identity = bind(descriptor, path)
            undo.pop_all()
            return cls(listening, path, identity, descriptor)

    def is_still_ours(self) -> bool:
        """True while clients that connect by the folder reach this socket. Cheap; never raises."""
        return identity_at(self.path.name, self._folder) == self._identity

    def close(self) -> None:
        """Stop listening, and remove the socket if it is still the one we bound. The folder stays."""
        if self._folder < 0:
            return
        if self.is_still_ours():
            with contextlib.suppress(OSError):  # a container may have closed the folder
                os.unlink(self.path.name, dir_fd=self._folder)
        self.socket.close()
        os.close(self._folder)
        self._folder = -1
