"""What a command line itself tells a package client: indexes, files to read, the keyring provider. Pure.

Only the options are read that uv, pip, pipx and twine share the spelling of; a word that is a program's own
is passed over.
"""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from broker.core.urls import may_be_token, printable
from broker.ctl.clients.client_index import UV, Index, Obstacle, Place, login_in
from broker.ctl.clients.usernames import PLACEHOLDER, with_username
from broker.ctl.clients.uv import index_of_settings, publish_index, uv_obstacles
from broker.ctl.clients.uv_files import PYPROJECT

INDEX_OPTIONS = frozenset(
    {"--index-url", "-i", "--pypi-url", "--extra-index-url", "--index", "--default-index"}
)
PUBLISH_OPTIONS = frozenset({"--publish-url", "--repository-url"})
REQUIREMENT_OPTIONS = frozenset(
    {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints"}
)
UPLOADS = frozenset({"publish", "upload"})
"""The verbs of uv, poetry, pdm, hatch and twine that publish."""

PROVIDER = "--keyring-provider"
CONFIG_FILE = "--config-file"
USERNAMES = ("--username", "-u")
"""The second of the commands that upload."""

_FOLDERS = ("--directory", "--project")
_SHORT_FOLDERS = {"pdm": "-p", "poetry": "-C"}
"""The short options for the same, of those clients alone: uv's `-p` is a Python."""

PLACE = "the command line"
ADDRESS = "address"
"""The `option` of what is no index: a file's own address, or a page with links."""

SECRET = "PASSWORD"  # noqa: S105 - stands in the place of one
_SECRET_OPTIONS = frozenset({"--password", "--token", "--auth"})
_SHORT_SECRET_OPTIONS = frozenset({"-p", "-t", "-a"})
"""Of the commands that upload: uv's and poetry's `publish`, twine's `upload`, hatch's `publish`."""

_ADDRESS = re.compile(r"(?:^|@\s*|^--find-links=|^-f)(https?://[^\s#]+)")
"""Of a direct reference (PEP 508), of a page with links, or by itself."""

_NO_PORT = re.compile(r":(?![0-9]*$)")
"""A colon that no port follows."""

_LOGIN = re.compile(r"[^/\s:@]+:[^@\s]+@")
"""A user name and a password, of an address that lacks its scheme."""

_OF_A_REQUIREMENT = re.compile(r"(egg|subdirectory|sha[0-9]+|md5)=")
"""Fragments of a direct reference (pip's "VCS Support", PEP 508)."""


@dataclass(frozen=True, slots=True)
class IndexWord:
    """An index of a command line; `position` is the word that has it, `name` is empty where none is given."""

    position: int
    url: str = field(repr=False)
    name: str = ""
    publishes: bool = False


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What the words of a command tell its client.

    `addresses` are those of files and of pages with links (`--find-links`): a client signs in there as well.
    `projects` are paths that may be a project's folder or its pyproject.toml.
    `username` is whom it publishes as. `secrets` are the positions of the words that give a password, the
    option's own included, each with how it is shown.
    """

    words: tuple[str, ...]
    indexes: tuple[IndexWord, ...]
    addresses: tuple[IndexWord, ...]
    requirements: tuple[str, ...]
    scripts: tuple[str, ...]
    projects: tuple[str, ...] = ()
    provider: str | None = None
    config_file: str | None = None
    folder: str | None = None
    username: str | None = None
    secrets: Mapping[int, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The name of the program that is run; of `python -m NAME`, NAME."""
        return _program(self.words)

    @property
    def uploads(self) -> bool:
        """True of a command that publishes packages."""
        return any(each.publishes for each in self.indexes) or not UPLOADS.isdisjoint(self.words)


def options_of(words: Sequence[str]) -> CommandOptions:
    """Read the words of a command."""
    indexes: list[IndexWord] = []
    found: dict[str, list[str]] = {}
    taken: set[int] = set()
    is_upload = not UPLOADS.isdisjoint(words)  # by hatch and pdm, whose -r is a repository
    for position, option, value in _valued(words, _known(is_upload=is_upload)):
        taken.add(position)
        publishes = option in PUBLISH_OPTIONS or (option == "-r" and "://" in value and is_upload)
        if option in INDEX_OPTIONS or publishes:
            name, equals, rest = value.partition("=")
            named = equals and "/" not in name and option in {"--index", "--default-index"}
            url = rest if named else value
            indexes.append(IndexWord(position, url, name if named else "", publishes))
        else:
            found.setdefault(option, []).append(value)
    short = _SHORT_FOLDERS.get(_program(words))
    chosen = [after for word, after in pairwise(words) if word == short]
    requirements = [value for option in REQUIREMENT_OPTIONS for value in found.get(option, ())]
    return CommandOptions(
        tuple(words),
        tuple(indexes),
        tuple(_addresses(words, taken)),
        tuple(requirements),
        tuple(word for word in words[1:] if word.endswith(".py") and not word.startswith("-")),
        tuple(filter(None, map(_project_in, words[1:]))),
        provider=_last(found.get(PROVIDER)),
        config_file=_last(found.get(CONFIG_FILE)),
        folder=next((found[each][-1] for each in _FOLDERS if each in found), _last(chosen)),
        username=next((found[each][-1] for each in USERNAMES if each in found), None),
        secrets=dict(_secrets(words, is_upload=is_upload)),
    )


def indexes_in(
    options: CommandOptions, client: str, environ: Mapping[str, str], *, is_on: bool
) -> Iterator[Index]:
    """The indexes of a command line as those of uv or pip; `is_on`: that client's keyring is.

    What the variables of an index's name say counts for uv wherever the index stands.
    """
    for word in options.addresses:
        index = Index.at(client, Place(PLACE), word.url, option=ADDRESS)
        yield replace(index, obstacles=obstacles_of(index, is_on=is_on))
    for word in options.indexes:
        if client == UV and word.publishes:
            named = {} if options.username is None else {"UV_PUBLISH_USERNAME": options.username}
            index = publish_index(Place(PLACE), word.url, {**environ, **named})
        elif client == UV and word.name:
            index = index_of_settings(Place(PLACE), word.url, environ, {"name": word.name})
        else:
            index = Index.at(client, Place(PLACE), word.url, publishes=word.publishes)
        yield replace(index, obstacles=obstacles_of(index, is_on=is_on))


def obstacles_of(index: Index, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why uv, or a new pip, does not ask the keyring for an index."""
    if index.client == UV:
        return uv_obstacles(index, is_on=is_on)
    from broker.ctl.clients.pip import pip_obstacles  # noqa: PLC0415 - `exec` starts its command without it

    return pip_obstacles(index, None, is_on=is_on)


def shown_command(words: Sequence[str]) -> str:
    """The command as a shell takes it, without its passwords: those of options have a placeholder."""
    options = options_of(words)
    indexes = {each.position: each for each in options.indexes}
    shown: list[str] = []
    for position, word in enumerate(words):
        if position in indexes:
            url = indexes[position].url
            shown.append(word.replace(url, shown_index(url)))
        elif position in options.secrets:
            shown.append(options.secrets[position])
        else:
            shown.append(_without_password(word))
    return shlex.join(shown)


def shown_without_secrets(options: CommandOptions, username: str | None) -> str:
    """The command without its passwords, as this user where it names none."""
    words = [word for position, word in enumerate(options.words) if position not in options.secrets]
    if username is not None and options.username is None:
        at = next((number for number, word in enumerate(words, 1) if word in UPLOADS), len(words))
        words[at:at] = [USERNAMES[0], username]
    return shown_command(words)


def shown_index(url: str) -> str:
    """An index's URL, or NAME=URL, with its user name and without what may be a secret."""
    name, equals, rest = url.partition("=")
    if equals and "/" not in name:
        return f"{name}={shown_index(rest)}"
    username = login_in(url)[0]
    if username is not None:
        return with_username(url, username)
    return printable(url) or "https://HOST/simple/"


def _without_password(word: str) -> str:
    """A word that need be no index, such as `git+https://HOST/REPOSITORY@REVISION`."""
    head, separator, rest = word.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    if not separator:
        return "HOST/" if _LOGIN.match(word) else word
    if "@" in path and ("." not in host or _NO_PORT.search(host)):
        return f"{head}{separator}HOST/"  # a password in which a slash stands has no sure end
    username = userinfo.partition(":")[0]
    if may_be_token(unquote(username)):
        username = PLACEHOLDER
    path, mark, fragment = path.partition("#")
    kept = f"{mark}{fragment}" if _OF_A_REQUIREMENT.match(fragment) else ""
    shown = re.split("[?#]", f"{host}{slash}{path}", maxsplit=1)[0]
    return f"{head}{separator}{username}{at}{shown}{kept}"


def _program(words: Sequence[str]) -> str:
    name = Path(words[0]).name if words else ""
    match words[1:]:
        case ["-m", module, *_] | ("-m", module, *_) if name.startswith("python"):
            return module
    return name


def _addresses(words: Sequence[str], taken: Collection[int]) -> Iterator[IndexWord]:
    """The words that are, or end with, an address, but for those that are taken."""
    for position, word in enumerate(words):
        found = None if position in taken else _ADDRESS.search(word)
        if found is not None:
            yield IndexWord(position, found[1])


def _project_in(word: str) -> str | None:
    """The path in a word, or in an option's value, that may be a project's; extras may stand behind it."""
    _, equals, value = word.partition("=")
    path = (value if equals and word.startswith("--") else word).partition("[")[0]
    is_path = "/" in path or path in {"..", PYPROJECT}
    return path if is_path and "://" not in path and not path.startswith("-") else None


def _last(values: Sequence[str] | None) -> str | None:
    return values[-1] if values else None


def _secrets(words: Sequence[str], *, is_upload: bool) -> Iterator[tuple[int, str]]:
    """The words that give a password, each with how it is shown."""
    short = _SHORT_SECRET_OPTIONS if is_upload else frozenset()
    for position, (before, word) in enumerate(pairwise(("", *words))):
        option, equals, _ = word.partition("=")
        if before in _SECRET_OPTIONS | short:
            yield position, SECRET
        elif word in _SECRET_OPTIONS | short:
            yield position, word
        elif equals and option in _SECRET_OPTIONS | short:
            yield position, f"{option}={SECRET}"
        elif word[:2] in short:
            yield position, f"{word[:2]}{SECRET}"


def _known(*, is_upload: bool) -> frozenset[str]:
    """The options that are read here."""
    names = USERNAMES if is_upload else USERNAMES[:1]
    return frozenset(
        {*INDEX_OPTIONS, *PUBLISH_OPTIONS, *REQUIREMENT_OPTIONS, PROVIDER, CONFIG_FILE, *_FOLDERS, *names}
    )


def _valued(words: Sequence[str], known: Collection[str]) -> Iterator[tuple[int, str, str]]:
    """Each option that is `known` with its value and the word that has the value."""
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in known and equals and option.startswith("--"):
            yield position, option, value
        elif word in known and position + 1 < len(words):
            yield position + 1, word, words[position + 1]
        elif word[:2] in {"-i", "-r"} and word[2:]:
            yield position, word[:2], word[2:]
