"""A secret store as azure-identity and the keyring library find one on a Linux desktop: a `gi` with
libsecret's calls, whose secrets lie in files of the test's. What it has is for tests to read and write; it
encrypts nothing. Next: libsecret.py of msal-extensions 1.3 and of keyring 25.7, which call it.
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
ITEMS = {items!r}


class GLib:
    Error = OSError


class Gio:
    pass


class Item:
    def __init__(self, kept):
        self._kept = kept

    def get_attributes(self):
        return self._kept["attributes"]

    def retrieve_secret_sync(self):
        return self

    def get_text(self):
        return self._kept["text"]


class Secret:
    class SchemaFlags:
        NONE = 0

    class SchemaAttributeType:
        STRING = 0

    class ServiceFlags:
        OPEN_SESSION = 0

    class SearchFlags:
        UNLOCK = 0

    class Service:
        @staticmethod
        def get_sync(flags, cancellable):
            return Secret

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
    def password_search_sync(schema, attributes, flags, cancellable):
        with open(ITEMS) as kept:
            found = json.load(kept)
        return [Item(one) for one in found if attributes.items() <= one["attributes"].items()]

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
        self._items = folder / "items.json"
        self._items.write_text("[]")
        (package / "__init__.py").write_text(_GI)
        (package / "repository.py").write_text(
            _REPOSITORY.format(kept=str(self._kept), items=str(self._items))
        )

    @property
    def secrets(self) -> dict[str, str]:
        """Everything in it, by schema."""
        found: dict[str, str] = json.loads(self._kept.read_text())
        return found

    def keep(self, service: str, username: str, password: str) -> None:
        """What `keyring set SERVICE USERNAME` does; it is the only entry then."""
        attributes = {"service": service, "username": username, "application": "Python keyring library"}
        self._items.write_text(json.dumps([{"attributes": attributes, "text": password}]))

    def lock(self) -> None:
        """Refuse to store anything from now on."""
        self._kept.with_name("secrets.json.locked").touch()
