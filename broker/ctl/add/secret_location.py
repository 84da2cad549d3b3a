"""Where a long-lived secret goes on this machine, and the command that puts it there.

The desktop's keychain where the broker reaches one, else a file that only its owner reads. The secret itself
is typed into that command, never into ours.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

from broker.ctl.setup.keyring_link import is_ours, keyrings
from broker.ctl.setup.user_dirs import UserDirs

FORMS = "env:NAME, file:PATH, credential:NAME, keyring:SERVICE[:USER], netrc or command:ARGV..."
"""How the configuration spells the places that a secret may be in."""

_PLACE = re.compile(r"netrc|(env|file|credential|keyring|command):.+", re.DOTALL)

FOLDER = "secrets"
"""Beside the configuration, for the files of a machine without a keychain."""

BRINGS_A_USERNAME = ("netrc", "command:")
"""UserDirs that know the user name, too."""

PROBE = "broker.providers.keyring_store"
PROBE_LIMIT_S = 10.0
"""A keychain that waits for its owner to unlock it has answered whether it is there."""


def is_place(text: str) -> bool:
    """True for a place, false for what may be the secret itself."""
    return _PLACE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class SecretLocation:
    """The places of one machine; `has_keychain` tells whether one would answer the broker."""

    user_dirs: UserDirs
    has_keychain: bool

    def suggested(self, host: str, name: str) -> str:
        """Where the secret of a feed on that host is best kept, as the configuration spells it."""
        if self.has_keychain:
            return f"keyring:{host}"
        return f"file:{self.user_dirs.shown(self.user_dirs.configuration.user.parent / FOLDER / name)}"

    def putting(self, place: str, username: str) -> str | None:
        """The command that puts a secret there; None where it is there, or another program's to keep."""
        kind, _, rest = place.partition(":")
        match kind:
            case "keyring":
                service, colon, own = rest.rpartition(":")
                named = bool(colon) and "/" not in own
                words = (service, own) if named else (rest, username)
                return shlex.join((*self._keyring(), "set", *words))
            case "file" if not self.user_dirs.expanded(rest).exists():
                folder = rest.rpartition("/")[0]
                made = "" if folder in {"", "~"} else f"mkdir -p {_quoted(folder)}; "
                return shlex.join(("sh", "-c", f"umask 077; {made}cat > {_quoted(rest)}"))
        return None

    def _keyring(self) -> tuple[str, ...]:
        """A `keyring` that can write: ours only looks up, and passes the rest on where there is another."""
        if any(not is_ours(program) for program in keyrings(self.user_dirs)):
            return ("keyring",)
        return (sys.executable, "-m", "keyring")


def secret_location(user_dirs: UserDirs) -> SecretLocation:
    """This machine's, by asking the keyring library in a process of its own."""
    if sys.platform == "darwin":
        return SecretLocation(user_dirs, has_keychain=True)
    try:
        probed = subprocess.run(
            (sys.executable, "-P", "-m", PROBE),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PROBE_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return SecretLocation(user_dirs, has_keychain=False)
    return SecretLocation(user_dirs, has_keychain=probed.returncode == 0)


def _quoted(path: str) -> str:
    """A path for sh, which expands its `~/` and nothing else."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)
