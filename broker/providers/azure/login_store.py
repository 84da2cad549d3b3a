"""The sign-ins that `brokerctl login` made: one for each organisation and configured account.

What is saved beside the caches of azure-identity is its AuthenticationRecord, which says who signed in and is
no secret. Without a secret store a sign-in is in the daemon's memory alone. Read `login.py` next.
"""

import json
import shlex
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from broker.core.failures import SignInNeeded, Unavailable
from broker.core.feeds import Feed
from broker.core.login_progress import Kept, LoginMethod
from broker.host.trusted_file import UnreadableFile, read
from broker.providers.azure.challenge import LOGIN_HOSTS
from broker.providers.azure.settings import AzureSettings
from broker.providers.home import expand

FOLDER = "token-broker"
"""Below ~/.IdentityService, where azure-identity 1.27 keeps its caches (_persistent_cache.py): `cache_name`
leads its own files into the same folder.
"""

RECORD_BYTES_MAX = 65536
"""A record has about 400 bytes."""

CACHE_SUFFIX = ".nocae"
"""What azure-identity 1.27 appends to a cache's name where no continuous access evaluation is asked for."""

_MEMORY = "azure/sign-in/"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is settled before a person signs in: which sign-in it is, how, where kept, to which tenant.

    `authority` is the login host that is asked, one of those that the feed's settings allow.
    """

    key: str
    way: LoginMethod
    kept: Kept
    tenant: str
    authority: str


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """Who signed in on which terms, and how it renews. `record` is azure-identity's, in JSON."""

    terms: Terms
    account: str
    record: str
    made_at: datetime
    live: list[object] = field(default_factory=list, repr=False, compare=False)
    """What `msal_login.py` renews it with, once made: a sign-in in memory is nowhere else."""
    refusals: list[SignInNeeded] = field(default_factory=list, repr=False, compare=False)
    """Why it could not be renewed, the last one last."""
    claims: list[str] = field(default_factory=list, repr=False, compare=False)
    """What the feed last wanted its token to say, in JSON, where it wanted anything."""
    store: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Held by the thread that renews or erases: a renewal writes what it got into the store."""
    ended: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    """Set once it was erased: nothing renews it any more."""


class LoginStore:
    """All sign-ins: `memory` is what the daemon keeps, `environ` says whose home has the saved ones."""

    def __init__(self, memory: MutableMapping[str, object], environ: Mapping[str, str]) -> None:
        self._memory = memory
        self._folder = expand("~/.IdentityService", environ) / FOLDER

    def find(self, feed: Feed, settings: AzureSettings) -> LoginRecord | None:
        """The sign-in for a feed and its configured account, or None. Cheap: one small file at most."""
        key = key_of(feed, settings.account)
        held = self._memory.get(_MEMORY + key)
        if isinstance(held, LoginRecord):
            return held
        saved = _read(self._path(key), key)
        if saved is None or saved.terms.authority not in LOGIN_HOSTS.union(settings.login_hosts):
            return None  # its refresh token would be sent to an unknown host
        self._memory[_MEMORY + key] = saved
        return saved

    def keep(self, sign_in: LoginRecord) -> None:
        """Take a new sign-in in the place of an older one; raises Unavailable when it cannot be saved."""
        key = sign_in.terms.key
        if sign_in.terms.kept is not Kept.MEMORY:
            path = self._path(key)
            try:
                self.make_folder()
                path.unlink(missing_ok=True)
                path.touch(mode=0o600, exist_ok=False)
                path.write_text(_written(sign_in))
            except OSError as error:
                raise _cannot(path, "written", error) from None
        self._memory[_MEMORY + key] = sign_in

    def drop(self, sign_in: LoginRecord) -> None:
        """Forget a sign-in; raises Unavailable when its files cannot be removed."""
        key = sign_in.terms.key
        self._memory.pop(_MEMORY + key, None)
        for path in (self._path(key), self.cache(key)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _cannot(path, "removed", error) from None

    def make_folder(self) -> None:
        """Make the folder of all that is saved, which is the user's alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def cache(self, key: str) -> Path:
        """The file of azure-identity's cache: the sign-in itself, or the mark of what a secret store has."""
        return self._folder / f"{key}{CACHE_SUFFIX}"

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def key_of(feed: Feed, account: str | None) -> str:
    """What tells a sign-in from the others, fit for a file's name."""
    names = (feed.realm.authority, account.lower()) if account else (feed.realm.authority,)
    return ",".join(quote(name, safe="@") for name in names)


def brokerctl_login(feed: Feed) -> str:
    """The command that signs a person in to the feed through us."""
    return shlex.join(("brokerctl", "login", feed.name))


def cache_name(key: str) -> str:
    """What azure-identity calls the cache of a sign-in."""
    return f"{FOLDER}/{key}"


def _written(sign_in: LoginRecord) -> str:
    facts = {
        "way": sign_in.terms.way,
        "kept": sign_in.terms.kept,
        "tenant": sign_in.terms.tenant,
        "made_at": sign_in.made_at.isoformat(),
        "record": json.loads(sign_in.record),
    }
    return json.dumps(facts, indent=1)


def _read(path: Path, key: str) -> LoginRecord | None:
    """A saved sign-in; None for a file that is none."""
    with suppress(UnreadableFile, ValueError, KeyError, TypeError, RecursionError):
        found = json.loads(read(path, RECORD_BYTES_MAX))
        record = found["record"]
        terms = Terms(
            key,
            LoginMethod(found["way"]),
            Kept(found["kept"]),
            str(found["tenant"]),
            str(record["authority"]),
        )
        made_at = datetime.fromisoformat(found["made_at"])
        return LoginRecord(terms, str(record["username"]), json.dumps(record), made_at)
    return None


def _cannot(path: Path, what: str, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be {what}: {(error.strerror or 'unknown error').lower()}")
