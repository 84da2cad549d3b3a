"""Where a long-lived secret goes on this machine, and the command that puts it there.

The desktop's keychain where the broker reaches one, else a file that only its owner reads. The secret itself
is typed into that command, never into ours.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass

from broker.core.secret_source import FileSecret, KeyringSecret, SecretSource, filling, spell
from broker.ctl.setup.found_keyrings import is_ours, keyrings
from broker.ctl.setup.user_dirs import UserDirs

FOLDER = "secrets"
"""Beside the configuration, for the files of a machine without a keychain."""

PROBE = "broker.providers.keyring_store"
PROBE_LIMIT_S = 10.0
"""A keychain that waits for its owner to unlock it has answered whether it is there."""


@dataclass(frozen=True, slots=True)
class SecretLocation:
    """The places of one machine; `has_keychain` tells whether one would answer the broker."""

    user_dirs: UserDirs
    has_keychain: bool

    def suggested(self, host: str, name: str) -> str:
        """Where the secret of a feed on that host is best kept, as the configuration spells it."""
        if self.has_keychain:
            return spell(KeyringSecret(host))
        return spell(
            FileSecret(self.user_dirs.shown(self.user_dirs.configuration.user.parent / FOLDER / name))
        )

    def putting(self, source: SecretSource, username: str) -> str | None:
        """The command that puts a secret there; None where it is there, or another program's to keep."""
        match source:
            case KeyringSecret(service, own) if self.has_keychain:
                return shlex.join((*self._keyring(), "set", service, own or username))
            case KeyringSecret():
                return None
            case FileSecret(path) if not self.user_dirs.expanded(path).exists():
                return filling(path)
        return None

    def _keyring(self) -> tuple[str, ...]:
        """A `keyring` that can write: ours only looks up, and passes the rest on where there is another."""
        if any(not is_ours(program) for program in keyrings(self.user_dirs)):
            return ("keyring",)
        return (sys.executable, "-P", "-m", PROBE)


def secret_location(user_dirs: UserDirs) -> SecretLocation:
    """This machine's."""
    return SecretLocation(user_dirs, has_keychain=sys.platform == "darwin" or finds_keychain())


def finds_keychain() -> bool:
    """Ask the keyring library, in a process of its own, whether it can keep a secret here."""
    try:
        probed = subprocess.run(
            (sys.executable, "-P", "-m", PROBE),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PROBE_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probed.returncode == 0
