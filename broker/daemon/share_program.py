"""The `keyring` in a share's folder: found as DIR/bin/keyring, it asks DIR/broker.sock.

So tools that clean the environment, such as tox, find the share by PATH (CONTRACT section 3, "Which broker").
It is a copy, for a container sees nothing of this machine but the folder.
"""

import contextlib
import logging
import os
from pathlib import Path

from broker.host.trusted_file import UnreadableFile, read
from broker.server.listen import NotListening, own_directory

PROGRAM_BYTES = 1 << 20
"""The compiled shim has 34 kB."""

PROGRAMS = "bin"
NAME = "keyring"
_NEW = ".keyring.new"

log = logging.getLogger("broker.shares")


def put_program(folder: Path, program: Path | None) -> None:
    """Put a copy of `program` into the folder, in place of an older one.

    Never raises: a share serves without it. No link is followed that a container may have put there.
    """
    if program is None:
        return
    try:
        content = read(program, PROGRAM_BYTES)
        programs = own_directory(folder / PROGRAMS)
        try:
            _replace(programs, content)
        finally:
            os.close(programs)
    except (UnreadableFile, NotListening) as failure:
        log.warning("share_without_keyring name=%s: %s", folder.name, failure)
    except OSError as error:
        log.warning("share_without_keyring name=%s: %s", folder.name, error.strerror)


def _replace(programs: int, content: bytes) -> None:
    """Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=programs)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(_NEW, flags, 0o600, dir_fd=programs), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o755)
    os.replace(_NEW, NAME, src_dir_fd=programs, dst_dir_fd=programs)
