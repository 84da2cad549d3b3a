"""The user's configuration file on its disk: read whole, replaced whole, never half written."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from broker.ctl.outcome import Trouble
from broker.host.paths import config_paths


class ConfigFile:
    """One file. A link is followed, so that a file kept elsewhere (in a dotfiles folder) stays there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._target = path.resolve()

    @classmethod
    def of_user(cls, option: str | None) -> Self:
        """The file that a broker of this user reads: `--config`, or where CONTRACT section 2 says."""
        return cls(config_paths(option, os.environ, Path.home()).user)

    @property
    def shown(self) -> str:
        """The path as a person writes it."""
        with contextlib.suppress(ValueError):
            return f"~/{self.path.relative_to(Path.home())}"
        return str(self.path)

    def read(self) -> str | None:
        """The text, or None where there is no file. Raises Trouble."""
        try:
            return self._target.read_bytes().decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
            raise Trouble(
                f"{self.path} cannot be read: {reason.lower()}", hint=f"ls -l {self.path}"
            ) from None

    def write(self, text: str | None) -> None:
        """Put the text in place of the file, readable by its owner alone; None removes it. Raises Trouble.

        Whoever reads meanwhile sees the old text or the new one; so does whoever looks after a power cut.
        """
        try:
            if text is None:
                self._target.unlink(missing_ok=True)
            else:
                self._replace(text.encode())
        except OSError as error:
            reason = str(error.strerror).lower()
            raise Trouble(
                f"{self.path} cannot be written: {reason}", hint=f"ls -ld {self.path.parent}"
            ) from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While in it, no other brokerctl changes the file. Makes its directory, 0700, if there is none."""
        try:
            self._target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Trouble(f"{self.path.parent} cannot be used: {str(error.strerror).lower()}") from None
        try:
            with contextlib.suppress(OSError):  # a home on a file system without locks
                fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def _replace(self, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=".config.", dir=self._target.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        directory = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)  # the new name, too, must survive a power cut
        finally:
            os.close(directory)
