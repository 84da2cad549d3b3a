"""Where a secret is, how the configuration writes that and how a person is told of it. Nothing is read here.

A secret itself never stands in the configuration: `parse` refuses it without repeating it. Next:
`providers/secret_reader.py`, which reads one.
"""

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.core.failures import ADD_TO

FORMS = "env:NAME, file:PATH, credential:NAME, keyring:SERVICE[:USER], netrc or command:ARGV..."
"""How the configuration writes each kind of place."""

FEED_KEYS = ("secret", "refresh")
"""The keys of a feed that say where a secret is."""

PRIVATE = "TOKEN_BROKER_PRIVATE"
"""`1` in this variable: a broker of one command or job, whose environment is the one it was typed in."""

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
    """The one line of a file; `~/` is the home of the user that the broker runs for."""

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
            return CommandSecret(parse_argv(rest))
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
    """The source as a person is told of it: of a command only its program, as its words may hold secrets."""
    if isinstance(source, CommandSecret):
        return f"command:{source.argv[0].rstrip('/').rpartition('/')[2]}"
    return spell(source)


def manual_renewal(source: SecretSource) -> str | None:
    """What a person does for another secret; None where a program brings it."""
    return None if isinstance(source, CommandSecret) else f"put another into {shown(source)}"


def filling(path: str) -> str:
    """The command that makes a file with a secret, readable by its owner alone; the secret is typed into it.

    sh expands a path's `~/` and nothing else of it.
    """

    def quoted(path: str) -> str:
        return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)

    folder = path.rpartition("/")[0]
    made = "" if folder in {"", "~"} else f"mkdir -p {quoted(folder)}; "
    return shlex.join(("sh", "-c", f"umask 077; {made}cat > {quoted(path)}"))


def providing(name: str, environ: Mapping[str, str]) -> str:
    """What gives a broker with this environment the secret of `env:name`, in no configuration in plain text.

    A private broker has the variables of its shell or job, where a secret has to be mapped by name (GitHub's
    "Using secrets in GitHub Actions", Azure Pipelines' "Set secret variables"). A service has nobody's, so
    that the secret lies in a file then.
    """
    if environ.get(PRIVATE) != "1":
        return f'{ADD_TO}its [[feed]], in place of "env:{name}": "file:~/.config/token-broker/secrets/{name}"'
    if environ.get("TF_BUILD", "").lower() == "true":
        return f"{ADD_TO}the step in azure-pipelines.yml: env: {{ {name}: $({name}) }}"
    if environ.get("GITHUB_ACTIONS", "").lower() == "true":
        return f'{ADD_TO}the job in .github/workflows: env: {{ {name}: "${{{{ secrets.{name} }}}}" }}'
    return f'export {name}="$(cat)"'


def brings_username(source: SecretSource) -> bool:
    """True for a place that may know the username, too."""
    return isinstance(source, NetrcSecret | CommandSecret)


def sources_of(keys: Mapping[str, object], among: Iterable[str] = FEED_KEYS) -> list[SecretSource]:
    """Where a feed's keys say that its secrets are, without what `parse` refuses: the daemon reports that."""
    found = []
    for key in among:
        try:
            found.append(parse(keys.get(key)))
        except ValueError:
            continue
    return found


def parse_argv(command: object) -> tuple[str, ...]:
    """The program and its arguments: a list of words, or one line that is split as a shell would.

    Raises ValueError where that names no program, or holds what no program can be given.
    """
    argv = shlex.split(command) if isinstance(command, str) else command
    if not isinstance(argv, list | tuple) or not all(isinstance(word, str) for word in argv):
        raise ValueError('a command is a list of words, such as ["prog", "arg"], or one line of them')
    if not argv or not argv[0].strip():
        raise ValueError("a command needs a program: write its name or path first")
    if any("\0" in word for word in argv):
        raise ValueError("no program can be given a NUL")
    return tuple(argv)


def _keyring(rest: str) -> KeyringSecret:
    """The last colon begins the user, unless what follows it belongs to a URL's host or path."""
    service, colon, username = rest.rpartition(":")
    if not colon or not service or not username or "/" in username:
        return KeyringSecret(rest)
    return KeyringSecret(service, username)
