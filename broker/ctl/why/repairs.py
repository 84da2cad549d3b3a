"""The lines to type for what was found. Pure. None of them holds a password, whatever was found.

A line is either a shell's, or one to write at the place that the finding names.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from broker.core.failures import BadRequest
from broker.ctl.clients import source_projects
from broker.ctl.clients.client_index import PIP_PROGRAM, UV, Index, login_in
from broker.ctl.clients.command_line import PLACE, PROVIDER, CommandOptions, shown_command, shown_index
from broker.ctl.clients.keyring_provider import SUBPROCESS, KeyringProvider, variable_of
from broker.ctl.clients.usernames import with_username

SETTINGS = (".toml",)
_OF_A_COMMAND = re.compile(r"uv|pip|python|install|-m|-i|--[a-z-]+|\{[a-z]+\}")
_KEY = re.compile(r"(?:--?)?[\w-]+(?:\s*=\s*|\s+)")
_TEXT = re.compile(r"\"([^\"]*)\"|'([^']*)'")


def with_user(
    index: Index, username: str, options: CommandOptions, environ: Mapping[str, str], *, editable: bool
) -> str | None:
    """The line by which the client knows the user name, and no password, for an index; None without any.

    `editable`: the file that the index stands in is the user's to change.
    """
    try:
        url = with_username(index.bare, username)
    except BadRequest:
        return None
    source = index.place.source
    has_variable = index.client == UV and bool(index.name) and not login_in(index.url)[1]
    exported = f"export {index.variable}={shlex.quote(username)}"
    if source == PLACE:
        return _command(options, {word: _replaced(word, index.url, url) for word in options.words})
    if not isinstance(source, Path):
        return exported if has_variable else _variable(source, index, url, environ)
    if has_variable and (not editable or environ.get(index.variable)):
        return exported
    return _in_file(index, source, url)


def upgrade_of_pip(options: CommandOptions) -> str:
    """The line that replaces a command's pip by the newest; of a wrapped one, the active environment's."""
    words = options.words
    if PIP_PROGRAM.fullmatch(options.program) is None:
        return "python -m pip install --upgrade pip"
    head = words[:1] if Path(words[0]).name == options.program else words[:3]
    return shlex.join([*head, "install", "--upgrade", "pip"])


def _in_file(index: Index, source: Path, url: str) -> str | None:
    """The line for the file that the index stands in."""
    if index.written:
        return _rewritten(index, url)
    if index.option.startswith("-") and source.suffix not in {*SETTINGS, ".py"}:
        return f"{index.option} {url}"
    is_quoted = index.option == "url" or source.suffix in SETTINGS
    return f'{index.option} = "{url}"' if is_quoted else f"{index.option} = {url}"


def without_password(index: Index, username: str | None, spell: Callable[[Path | str], str]) -> str:
    """What takes a password away that stands beside the URL; `username`: one that uv needs besides."""
    at = index.password_at
    if at is not None and isinstance(at.source, Path):
        line = "its password" if at.line is None else f"line {at.line}"
        return _by_the_client(index, at.source.name) or f"remove {line} of {spell(at.source)}"
    line = f"unset {index.password_variable if at is None else at.source}"
    return line if username is None else f"{line}; export {index.variable}={shlex.quote(username)}"


def _by_the_client(index: Index, file: str) -> str | None:
    """The client's own command for a password that stands in its own settings."""
    match index.client, file:
        case source_projects.POETRY, source_projects.AUTH_FILE:
            return f"poetry config --unset {shlex.quote(f'http-basic.{index.name}')}"
        case source_projects.PDM, source_projects.SETTINGS_FILE:
            table = "repository" if index.publishes else "pypi"
            key = f"{table}.{index.name}.password" if index.name else f"{table}.password"
            return f"pdm config --delete {shlex.quote(key)}"
    return None


def with_provider(client: str, named: KeyringProvider | None, options: CommandOptions) -> str:
    """The line that turns the keyring on."""
    if named is not None and named.place.source == PLACE:
        spelt = f"{PROVIDER}={named.name}"
        words = {word: word.replace(spelt, f"{PROVIDER}={SUBPROCESS}") for word in options.words}
        return _command(options, words | {named.name: SUBPROCESS})
    return f"export {variable_of(client)}={SUBPROCESS}"


def _command(options: CommandOptions, words: Mapping[str, str]) -> str:
    return shown_command([words.get(word, word) for word in options.words])


def _replaced(word: str, url: str, new: str) -> str:
    return word.replace(url, new) if url in word else word


def _rewritten(index: Index, url: str) -> str | None:
    """The line of a TOML file with this URL in the place of the index's, other addresses without passwords.

    None where the line says more than addresses: that may be a secret.
    """
    line = index.written.partition(" #")[0].rstrip()
    entries = [entry for found in _TEXT.finditer(line) for entry in (found[1] or found[2] or "").split()]
    if not entries:
        return _rewritten_bare(line, index, url)
    if not any(index.url in entry for entry in entries) or not all(map(_may_be_shown, entries)):
        return None

    def shown(found: re.Match[str]) -> str:
        words = (found[1] or found[2] or "").split()
        replaced = (_replaced(word, index.url, url) for word in words)
        return '"' + " ".join(shown_index(word) if "://" in word else word for word in replaced) + '"'

    return _TEXT.sub(shown, line)


def _rewritten_bare(line: str, index: Index, url: str) -> str | None:
    """The same of a line of an INI file within a TOML file: a key, or an option, and its address."""
    key, _, rest = line.partition(index.url)
    return None if rest.strip() or not _KEY.fullmatch(key) else f"{key}{url}"


def _may_be_shown(entry: str) -> bool:
    """True of an address, whose password is taken out, and of the words of a command that installs."""
    return "://" in entry or _OF_A_COMMAND.fullmatch(entry) is not None


def _variable(name: str, index: Index, url: str, environ: Mapping[str, str]) -> str:
    entries = [shown_index(entry.replace(index.url, url)) for entry in environ.get(name, "").split()]
    return f"export {name}={shlex.quote(' '.join(entries) or url)}"
