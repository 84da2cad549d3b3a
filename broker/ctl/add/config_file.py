"""The user's configuration file on its disk: read whole, replaced whole, never half written."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Self

from broker.config.files import CONFIG_BYTES_MAX
from broker.config.paths import SITE, ConfigPaths, config_paths
from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.host.trusted_file import MissingFile, UnreadableFile, read, text_of
from broker.host.whereabouts import home_of

NEW_FILE = 0o600


def shown(path: Path) -> str:
    """The path as a person writes it."""
    with contextlib.suppress(ValueError):
        return f"~/{path.relative_to(home_of(os.environ))}"
    return str(path)


class ConfigFile:
    """The user's file of `paths`. A link is followed, so that one kept elsewhere (dotfiles) stays there."""

    def __init__(self, paths: ConfigPaths) -> None:
        self.paths = paths
        self.path = paths.user
        self._target = paths.user.resolve()

    @classmethod
    def of_user(cls, option: str | None) -> Self:
        """The file that a broker of this user reads: `--config`, or where CONTRACT section 2 says."""
        return cls(config_paths(option, os.environ, home_of(os.environ)))

    @property
    def shown(self) -> str:
        """The path as a person writes it."""
        return shown(self.path)

    def is_read_with(self, user_file: Path | None = None) -> bool:
        """Whether a broker reads it whose user's file is `user_file`, or the one by default."""
        user_file = user_file or config_paths(None, os.environ, home_of(os.environ)).user
        return self._target in {user_file.resolve(), SITE.resolve()}

    def read(self) -> str | None:
        """The text, or None where there is no file. Raises CommandError."""
        try:
            return text_of(self.path, read(self._target, CONFIG_BYTES_MAX))
        except MissingFile:
            return None
        except UnreadableFile as failure:
            raise CommandError(str(failure), hint=f"ls -l {quote(str(self.path))}") from None

    def write(self, text: str | None) -> None:
        """Put the text in place of the file, with its mode, a new one for its owner alone; None removes it.

        A program that reads meanwhile sees the old text or the new one. Raises CommandError.
        """
        if text is not None:
            user_files.put(self._target, text.encode(), user_files.mode_of(self._target) or NEW_FILE)
            return
        try:
            self._target.unlink(missing_ok=True)
        except OSError as error:
            reason = str(error.strerror).lower()
            raise CommandError(
                f"{self.path} cannot be written: {reason}", hint=f"ls -ld {quote(str(self.path.parent))}"
            ) from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While in it, no other brokerctl changes the file. Makes its directory, 0700, if there is none."""
        try:
            self._target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CommandError(f"{self.path.parent} cannot be used: {str(error.strerror).lower()}") from None
        try:
            with contextlib.suppress(OSError):  # a home on a file system without locks
                fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)
