"""A secret store as azure-identity finds one on a Linux desktop: a `gi` with libsecret's three calls, whose
secrets lie in a file of the test's. What it has is for tests to read; it encrypts nothing.
Next: msal-extensions 1.3's libsecret.py, which calls it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_GI = """
def require_version(name, version):
    pass
"""

_REPOSITORY = """
import json, os

FILE = {kept!r}


class GLib:
    Error = OSError


class Secret:
    class SchemaFlags:
        NONE = 0

    class SchemaAttributeType:
        STRING = 0

    class Schema:
        @staticmethod
        def new(name, flags, attributes):
            return name

    @staticmethod
    def _all():
        with open(FILE) as kept:
            return json.load(kept)

    @staticmethod
    def _write(found):
        with open(FILE, "w") as kept:
            json.dump(found, kept)

    @staticmethod
    def password_store_sync(schema, attributes, collection, label, data, cancellable):
        if os.path.exists(FILE + ".locked"):
            raise GLib.Error("locked")
        Secret._write({{**Secret._all(), schema: data}})
        return True

    @staticmethod
    def password_lookup_sync(schema, attributes, cancellable):
        return Secret._all().get(schema)

    @staticmethod
    def password_clear_sync(schema, attributes, cancellable):
        found = Secret._all()
        had = found.pop(schema, None) is not None
        Secret._write(found)
        return had
"""


class SecretService:
    """The store; `folder` goes on the path that Python imports from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package = folder / "gi"
        package.mkdir(parents=True)
        self._kept = folder / "secrets.json"
        self._kept.write_text("{}")
        (package / "__init__.py").write_text(_GI)
        (package / "repository.py").write_text(_REPOSITORY.format(kept=str(self._kept)))

    @property
    def secrets(self) -> dict[str, str]:
        """Everything in it, by schema."""
        found: dict[str, str] = json.loads(self._kept.read_text())
        return found

    def lock(self) -> None:
        """Refuse to store anything from now on."""
        self._kept.with_name("secrets.json.locked").touch()
