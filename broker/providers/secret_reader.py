"""Where a configured secret is: `env:`, `file:`, `credential:`, `keyring:`, `netrc` or `command:`.

A secret itself never stands in the configuration: `parse` refuses it without repeating it. Reading one
happens at each renewal, so that a replaced secret is found. Next: `basic.py`, which hands them out.
"""

import asyncio
import hashlib
import netrc
import re
import shlex
import stat
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.core.failures import ADD_TO, Refused, SignInNeeded
from broker.host.file_stamp import file_stamp
from broker.providers import keyring_store
from broker.providers.helper_program import SecretFound, ask, found, split_argv
from broker.providers.home import expand

FILE_BYTES_MAX = 65536
"""A token file holds one line; a netrc that is longer was not written by hand."""

CONTAINER_SECRETS = (Path("/run/secrets"), Path("/var/run/secrets"))
"""Where container runtimes mount secrets, with modes of their own choosing that nobody inside can change."""

FORMS = "env:NAME, file:PATH, credential:NAME, keyring:SERVICE[:USER], netrc or command:ARGV..."

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd shows a service the credentials that its unit loads (systemd.exec(5))."""

_FOLLOWED_BY = {
    "env": "a variable's name: letters, digits and _",
    "file": "an absolute path or one that begins with ~/",
    "credential": "the name that LoadCredential= of the unit gives it",
    "keyring": f"what to ask: {FORMS}",
    "command": f"what to ask: {FORMS}",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


@dataclass(frozen=True, slots=True)
class EnvSecret:
    """The value of a variable in the broker's environment."""

    name: str


@dataclass(frozen=True, slots=True)
class FileSecret:
    """The one line of a file; `~/` is the home of whom the broker runs for."""

    path: str


@dataclass(frozen=True, slots=True)
class CredentialSecret:
    """A credential that the service's unit loads: LoadCredential=NAME or LoadCredentialEncrypted=NAME."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyringSecret:
    """An entry of the system's secret store."""

    service: str
    username: str | None = None


@dataclass(frozen=True, slots=True)
class NetrcSecret:
    """The entry of the feed's host in `$NETRC`, else `~/.netrc`."""


@dataclass(frozen=True, slots=True)
class CommandSecret:
    """What a program prints."""

    argv: tuple[str, ...]


SecretSource = EnvSecret | FileSecret | CredentialSecret | KeyringSecret | NetrcSecret | CommandSecret


def parse(text: object) -> SecretSource:
    """Return where the secret is. Raises ValueError that says what to write, and never repeats `text`."""
    if not isinstance(text, str):
        raise ValueError(f"a secret is written as text: {FORMS}")  # noqa: TRY004 - pydantic reports ValueErrors
    kind, colon, rest = text.partition(":")
    match kind:
        case "netrc" if not colon:
            return NetrcSecret()
        case "env" if _NAME.fullmatch(rest):
            return EnvSecret(rest)
        case "file" if rest.startswith(("/", "~/")) and rest.isprintable():
            return FileSecret(rest)
        case "credential" if _CREDENTIAL.fullmatch(rest):
            return CredentialSecret(rest)
        case "keyring" if rest and rest.isprintable():
            return _keyring(rest)
        case "command" if rest.strip():
            return CommandSecret(split_argv(shlex.split(rest)))
    if kind in _FOLLOWED_BY:
        raise ValueError(f"{kind}: is followed by {_FOLLOWED_BY[kind]}")
    raise ValueError(f"a secret is never written in the configuration, only where it is: {FORMS}")


def spell(source: SecretSource) -> str:
    """One spelling for one source, equal exactly when the source is; a command's words are only digested."""
    match source:
        case EnvSecret(name):
            return f"env:{name}"
        case FileSecret(path):
            return f"file:{path}"
        case CredentialSecret(name):
            return f"credential:{name}"
        case KeyringSecret(service, username):
            return f"keyring:{service}" if username is None else f"keyring:{service}:{username}"
        case NetrcSecret():
            return "netrc"
        case CommandSecret(argv):
            return f"{shown(source)} {hashlib.sha256(repr(argv).encode()).hexdigest()[:12]}"


def shown(source: SecretSource) -> str:
    """The source as a person is told of it: of a command only its program, for its words may hold secrets."""
    return f"command:{Path(source.argv[0]).name}" if isinstance(source, CommandSecret) else spell(source)


def replacing(source: SecretSource) -> str | None:
    """The command that puts another secret there, or None where a person uses an editor or a web page."""
    match source:
        case KeyringSecret(service, username):
            return keyring_store.putting(service, username)
        case _:
            return None


def manual_renewal(source: SecretSource) -> str | None:
    """What a person does for another secret; None where a program brings it."""
    return None if isinstance(source, CommandSecret) else f"put another into {shown(source)}"


async def read(
    source: SecretSource, *, host: str, username: str | None, environ: Mapping[str, str]
) -> SecretFound:
    """Read the secret now, for `username` where the feed names one; the source may bring its own.

    Raises SignInNeeded when it is not there yet, Refused when it is there and cannot be used, Unavailable
    when whoever holds it fails. Blocking reads happen in a thread; programs are limited by `program.ask`.
    """
    match source:
        case EnvSecret(name):
            return from_env(name, environ)
        case FileSecret(path):
            text = await asyncio.to_thread(read_file, expand(path, environ))
            return _usable(text, path)
        case CredentialSecret(name):
            text = await asyncio.to_thread(_from_credential, name, environ)
            return _usable(text, f"the credential {name}")
        case KeyringSecret(service, own):
            person, text = await keyring_store.read_login(service, own or username)
            return _usable(text, f"the keyring's entry {service}", person or None)
        case NetrcSecret():
            return await asyncio.to_thread(_from_netrc, netrc_path(environ), host, username)
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
        raise SignInNeeded(
            f"{name} is not set in the broker's environment",
            hint=f'{ADD_TO}[env] in config.toml: {name} = "..."',
        )
    return _usable(text, f"the variable {name}")


def read_file(path: Path, *, private: bool = True) -> str:
    """The file's text without blanks at its ends, most often a final newline; blocks.

    Raises SignInNeeded when there is no such file, Refused when it cannot be used; `private` refuses one that
    every user of the machine may read.
    """
    try:
        seen = path.stat()
        if not stat.S_ISREG(seen.st_mode):
            raise Refused(f"{path} is not a file")
        if seen.st_size > FILE_BYTES_MAX:
            raise Refused(f"{path} is longer than {FILE_BYTES_MAX:,} bytes")
        if (
            private
            and seen.st_mode & (stat.S_IROTH | stat.S_IWOTH)
            and not any(folder in path.parents for folder in CONTAINER_SECRETS)
        ):
            raise Refused(
                f"every user of this machine may read {path}", hint=f"chmod 600 {shlex.quote(str(path))}"
            )
        with path.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX).decode("utf-8-sig").strip()  # some editors begin with a mark
    except FileNotFoundError:
        raise SignInNeeded(f"{path} does not exist") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not text") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def netrc_path(environ: Mapping[str, str]) -> Path:
    """The netrc file that uv, pip and curl would read."""
    return expand(environ.get("NETRC") or "~/.netrc", environ)


def _keyring(rest: str) -> KeyringSecret:
    """The last colon begins the user, unless what follows it belongs to a URL's host or path."""
    service, colon, username = rest.rpartition(":")
    if not colon or not service or not username or "/" in username:
        return KeyringSecret(rest)
    return KeyringSecret(service, username)


def _from_credential(name: str, environ: Mapping[str, str]) -> str:
    try:
        return read_file(Path(environ.get(CREDENTIALS) or "/nowhere", name))
    except SignInNeeded:
        unit = "/etc/systemd/system/token-broker.service.d/credentials.conf"
        raise SignInNeeded(
            f"the broker's service has no credential {name}",
            hint=f"{ADD_TO}{unit}: [Service] LoadCredentialEncrypted={name}",
        ) from None


def _from_netrc(path: Path, host: str, username: str | None) -> SecretFound:
    read_file(path)  # the same rules for its place, size and mode
    try:
        login = netrc.netrc(str(path)).authenticators(host)
    except netrc.NetrcParseError as error:
        # its message may quote a password that stands where a keyword should
        raise Refused(f"{path} cannot be understood at line {error.lineno}") from None
    except (OSError, UnicodeDecodeError):
        raise Refused(f"{path} cannot be read") from None
    person, _, password = login or ("", "", "")
    if not password or (username is not None and person != username):
        wanted = host if username is None else f"{host} and user {username}"
        raise SignInNeeded(f"{path} has no entry for {wanted}")
    return _usable(password, f"the entry of {host} in {path}", person or None)


def _usable(text: str, place: str, username: str | None = None) -> SecretFound:
    try:
        return found(text, username)
    except ValueError:
        raise Refused(f"{place} cannot be sent: clients carry one line of printable ASCII") from None
