"""Where the configuration lies. The socket's path is the shim's rule: `token_broker_client` has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.core.failures import BadConfiguration

CONFIG = "TOKEN_BROKER_CONFIG"
"""The variable that names the user's configuration."""

SITE = Path("/etc/token-broker/config.toml")
"""The site's configuration, which each user's own goes over."""


SYSTEM = SITE.with_name("system.toml")
"""The system broker's own, over the site's."""


@dataclass(frozen=True, slots=True)
class ConfigPaths:
    """The files of the configuration, of which any may be missing: `env` is written by `brokerctl setup`.

    `named`: the user's was, by an option or a variable, and must be there.
    """

    user: Path
    env: Path
    site: Path = SITE
    named: bool = False


def config_paths(
    option: str | None, environ: Mapping[str, str], home: Path, *, system: bool = False
) -> ConfigPaths:
    """Return where the configuration lies: `--config`, $TOKEN_BROKER_CONFIG, $XDG_CONFIG_HOME, ~/.config.

    For the system broker the last two are SYSTEM.

    An empty value counts as none. A relative $XDG_CONFIG_HOME is ignored, as its specification demands (XDG
    Base Directory, "must be absolute"); a path that was named is taken from the working directory, once.
    Raises BadConfiguration where that is gone, or for the `~` of a user who is not there.
    """
    named = option or environ.get(CONFIG)
    if named:
        try:
            user = Path(named).expanduser().absolute()
        except RuntimeError:
            raise BadConfiguration(f"{named} names a user who is not there, or has no home") from None
        except OSError:
            raise BadConfiguration(
                f"{named} is relative, and the working directory is gone", hint="cd"
            ) from None
    elif system:
        user = SYSTEM
    else:
        base = Path(environ.get("XDG_CONFIG_HOME", ""))
        user = (base if base.is_absolute() else home / ".config") / "token-broker" / "config.toml"
    return ConfigPaths(user, user.with_name("env.toml"), named=bool(named))
