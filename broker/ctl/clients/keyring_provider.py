"""Which keyring provider uv's or pip's settings name: the one reading of it, for doctor and setup alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.ctl.clients.client_index import Place

KEY = "keyring-provider"
SUBPROCESS = "subprocess"
IMPORT = "import"
"""pip's: the keyring library of its own environment."""

PIP_SECTIONS = ("install", "global")
"""pip takes a command's own section before [global], whatever files they are in (`cli/parser.py`)."""


@dataclass(frozen=True, slots=True)
class KeyringProvider:
    """A client's keyring provider and where it is named.

    Only `subprocess` runs our `keyring` always: pip's `auto` does so on a terminal alone.
    """

    name: str
    place: Place

    @property
    def is_on(self) -> bool:
        """True for the provider that runs the `keyring` program."""
        return self.name == SUBPROCESS


def in_uv_settings(settings: Mapping[str, object]) -> str | None:
    """The provider that a uv.toml, or a pyproject.toml's [tool.uv], names."""
    found = settings.get(KEY)
    return found if isinstance(found, str) else None


def in_pip_section(settings: Mapping[str, str]) -> str | None:
    """The provider that a section of a pip.conf names."""
    return next((value for key, value in settings.items() if pip_option(key) == KEY and value), None)


def pip_option(key: str) -> str:
    """The option that a key of a pip.conf is for (pip 26.3, `_normalize_name`)."""
    return key.replace("_", "-").removeprefix("--")


def in_pip_settings(sections: Mapping[str, Mapping[str, str]]) -> str | None:
    """The provider that one pip.conf names for `pip install`."""
    named = (in_pip_section(sections.get(section, {})) for section in PIP_SECTIONS)
    return next(filter(None, named), None)


def in_variable(client: str, environ: Mapping[str, str]) -> KeyringProvider | None:
    """The provider that UV_KEYRING_PROVIDER or PIP_KEYRING_PROVIDER names, which goes before all files."""
    variable = variable_of(client)
    named = environ.get(variable)
    return KeyringProvider(named, Place(variable)) if named else None


def variable_of(client: str) -> str:
    """The variable that names a client's provider."""
    return f"{client.upper()}_KEYRING_PROVIDER"
