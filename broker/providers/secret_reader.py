"""Reads a configured secret from the place that a SecretSource names (`core/secret_source.py`).

It is read at each renewal, so that a replaced secret is found. Next: `static_login.py`, which hands them out.
"""

import io
import netrc
import os
import shlex
import stat
from collections.abc import Hashable, Mapping
from pathlib import Path

from broker.core.failures import ADD_TO, Refused, SignInNeeded
from broker.core.secret_source import (
    CommandSecret,
    CredentialSecret,
    EnvSecret,
    FileSecret,
    KeyringSecret,
    NetrcSecret,
    SecretSource,
    filling,
    providing,
)
from broker.host import trusted_file
from broker.host.aside import in_thread
from broker.host.file_stamp import file_stamp
from broker.providers import keyring_store
from broker.providers.helper_program import SecretFound, ask, found
from broker.providers.home import expand

FILE_BYTES_MAX = 65536
"""A token file holds one line; a netrc that is longer was not written by hand."""

CONTAINER_SECRETS = (Path("/run/secrets"), Path("/var/run/secrets"))
"""Where container runtimes mount secrets, with modes of their own choosing that no user inside can change."""

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd shows a service the credentials that its unit loads (systemd.exec(5))."""


def replacing(source: SecretSource) -> str | None:
    """The command that puts another secret there, or None where a person uses an editor or a web page."""
    match source:
        case KeyringSecret(service, username):
            return keyring_store.putting(service, username)
        case FileSecret(path):
            return filling(path)
        case _:
            return None


class Unsendable(Refused):
    """A secret was read, and no client could send it."""


async def read(
    source: SecretSource, *, host: str, username: str | None, environ: Mapping[str, str]
) -> SecretFound:
    """Read the secret now, for `username` where the feed names one; the source may bring its own.

    Raises SignInNeeded when it is not there yet, Refused when it is there and cannot be used, Unavailable
    when the keyring or the program fails. Blocking reads happen in a thread; `helper_program.ask` limits
    programs.
    """
    try:
        return await _read(source, host, username, environ)
    except (SignInNeeded, Refused) as failure:
        failure.hint = failure.hint or _mending(source, environ)
        raise


def _mending(source: SecretSource, environ: Mapping[str, str]) -> str | None:
    match source:
        case EnvSecret(name):
            return providing(name, environ)
        case NetrcSecret():
            return f"${{EDITOR:-vi}} {shlex.quote(str(netrc_path(environ)))}"
        case _:
            return replacing(source)


async def _read(
    source: SecretSource, host: str, username: str | None, environ: Mapping[str, str]
) -> SecretFound:
    match source:
        case EnvSecret(name):
            return from_env(name, environ)
        case FileSecret(path):
            return _usable(await in_thread(lambda: read_file(expand(path, environ))), path)
        case CredentialSecret(name):
            text = await in_thread(lambda: _from_credential(name, environ))
            return _usable(text, f"the credential {name}")
        case KeyringSecret(service, own):
            person, text = await keyring_store.read_login(service, own or username)
            text = text.strip() if isinstance(text, str) else text
            return _usable(text, f"the keyring's entry {service}", person or None)
        case NetrcSecret():
            return await in_thread(lambda: _from_netrc(netrc_path(environ), host, username))
        case CommandSecret(argv):
            return await ask(argv, environ)


def fingerprint(source: SecretSource, environ: Mapping[str, str]) -> Hashable:
    """A value that changes when the secret was replaced, as far as that can be seen without reading it."""
    match source:
        case EnvSecret(name):
            return hash(environ.get(name))
        case FileSecret(path):
            return file_stamp(expand(path, environ))
        case CredentialSecret(name):
            return file_stamp(Path(environ.get(CREDENTIALS) or "/nowhere", name))
        case NetrcSecret():
            return file_stamp(netrc_path(environ))
        case KeyringSecret() | CommandSecret():
            return None


def from_env(name: str, environ: Mapping[str, str]) -> SecretFound:
    """The variable's value without blanks at its ends.

    Raises SignInNeeded where it is not set, Refused where it cannot be used.
    """
    text = environ.get(name, "").strip()
    if not text:
        raise SignInNeeded(f"{name} is not set in the broker's environment")
    return _usable(text, f"the variable {name}")


def read_file(path: Path, *, private: bool = True) -> str:
    """The file's text without blanks at its ends, most often a final newline; blocks.

    Raises SignInNeeded when there is no such file, Refused when it cannot be used; `private` refuses one that
    every user of the machine may read.
    """
    try:
        return _content(path, private=private).decode("utf-8-sig").strip()  # some editors begin with a mark
    except UnicodeDecodeError:
        raise Refused(f"{path} is not text") from None


def _content(path: Path, *, private: bool) -> bytes:

    def judge(seen: os.stat_result) -> None:
        if (
            private
            and seen.st_mode & (stat.S_IROTH | stat.S_IWOTH)
            and not any(folder in path.parents for folder in CONTAINER_SECRETS)
        ):
            raise Refused(
                f"every user of this machine may read {path}", hint=f"chmod 600 {shlex.quote(str(path))}"
            )

    try:
        return trusted_file.read(path, FILE_BYTES_MAX, judge=judge)
    except trusted_file.MissingFile as failure:
        raise SignInNeeded(str(failure), hint=failure.hint) from None
    except trusted_file.UnreadableFile as failure:
        raise Refused(str(failure), hint=failure.hint) from None


def netrc_path(environ: Mapping[str, str]) -> Path:
    """The netrc file that uv, pip and curl would read."""
    return expand(environ.get("NETRC") or "~/.netrc", environ)


def _from_credential(name: str, environ: Mapping[str, str]) -> str:
    try:
        return read_file(Path(environ.get(CREDENTIALS) or "/nowhere", name))
    except SignInNeeded:
        unit = "/etc/systemd/system/token-broker.service.d/credentials.conf"
        raise SignInNeeded(
            f"the broker's service has no credential {name}",
            hint=f"{ADD_TO}{unit}: [Service] LoadCredentialEncrypted={name}",
        ) from None


class _Netrc(netrc.netrc):
    """A netrc of a text: the library's own constructor opens a file itself (Lib/netrc.py, 3.11 to 3.14)."""

    def __init__(self, text: str) -> None:
        self.hosts = {}
        self.macros = {}
        self._parse("netrc", io.StringIO(text), default_netrc=False)  # type: ignore[attr-defined]


def _from_netrc(path: Path, host: str, username: str | None) -> SecretFound:
    entry = f"{ADD_TO}{path}: machine {host} login {username or 'NAME'} password ..."
    try:
        # what is no UTF-8 may stand in a comment or another host's entry, and curl reads bytes
        text = _content(path, private=True).decode("utf-8-sig", errors="surrogateescape")
    except SignInNeeded as missing:
        raise SignInNeeded(missing.detail, hint=missing.hint or entry) from None
    try:
        login = _Netrc(text).authenticators(host)
    except netrc.NetrcParseError as error:
        # its message may quote a password that stands where a keyword should
        raise Refused(f"{path} cannot be understood at line {error.lineno}") from None
    person, _, password = login or ("", "", "")
    if not password or (username is not None and person != username):
        wanted = host if username is None else f"{host} and user {username}"
        raise SignInNeeded(f"{path} has no entry for {wanted}", hint=entry)
    return _usable(password, f"the entry of {host} in {path}", person or None)


def _usable(text: str, place: str, username: str | None = None) -> SecretFound:
    try:
        return found(text, username)
    except ValueError:
        why = "cannot be sent: clients carry one line of printable ASCII" if text else "is empty"
        raise Unsendable(f"{place} {why}") from None
