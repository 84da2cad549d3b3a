"""Which folders the daemon must see from inside the sandbox: this installation, its sign-ins, its secrets.

Folders, never files: a sign-in tool replaces its files, and a bind mount would keep showing the old ones.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from broker.core.secret_source import (
    CommandSecret,
    FileSecret,
    KeyringSecret,
    NetrcSecret,
    parse_argv,
    sources_of,
)
from broker.ctl.setup.unit_files import View
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.trusted_file import UnreadableFile, read
from broker.providers.recognise.kinds import ARTIFACTORY, AZURE, CODEARTIFACT, GOOGLE

if TYPE_CHECKING:
    from broker.config.model import Config

SIGN_INS: Mapping[str, tuple[tuple[str, str], ...]] = {
    AZURE: (("AZURE_CONFIG_DIR", ".azure"), ("AZD_CONFIG_DIR", ".azd"), ("", ".IdentityService")),
    GOOGLE: (("CLOUDSDK_CONFIG", ".config/gcloud"),),
    CODEARTIFACT: (("", ".aws"),),
    ARTIFACTORY: (("JFROG_CLI_HOME_DIR", ".jfrog"),),
}
"""By provider: the folders in which its sign-in tools keep their state, by variable and by default."""

ALWAYS = (AZURE,)
"""Used without any configuration: setup makes their folders, so that the daemon sees a later sign-in."""

PROGRAMS = ("az", "azd", "gcloud", "aws", "jf")
CERTIFICATES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
)
KEYRING_FILES = ("python_keyring", "keyrings")
SHEBANG_BYTES = 512


class SandboxPaths:
    """The folders for a home, its configuration and the installation at `prefixes`."""

    def __init__(self, user_dirs: UserDirs, config: "Config", prefixes: Iterable[Path]) -> None:
        self._places = user_dirs
        self._prefixes = list(prefixes)
        self._providers = {feed.provider for feed in config.feeds}
        self._feeds = [feed.own_keys for feed in config.feeds]
        self._ca = "" if config.ca is None else str(config.ca)

    def view(self) -> View:
        """What the sandbox shows of the homes."""
        writable = _distinct(filter(self._is_hidden, self.sign_ins()))
        wanted = _distinct(filter(self._is_hidden, self._wanted()))
        home = self._places.home
        needs_home = any(home.is_relative_to(folder) for folder in (*writable, *wanted))
        readable = [each for each in wanted if not any(each.is_relative_to(other) for other in writable)]
        return View(writable, readable, keeps_home=needs_home)

    def sign_ins(self) -> list[Path]:
        """The folders that sign-in tools write to, also those for feeds that need no configuration."""
        used = {*ALWAYS, *self._providers}
        folders = []
        for provider, user_dirs in SIGN_INS.items():
            for variable, default in user_dirs:
                named = Path(self._places.environ.get(variable, ""))
                folder = named if variable and named.is_absolute() else self._places.home / default
                if provider in used or folder.is_dir():
                    folders.append(folder)
        usual = str(folders[0])  # az's own: an account that a feed names has a folder beside it
        accounts = {str(feed["account"]).lower() for feed in self._feeds if "account" in feed}
        return [*folders, *(Path(f"{usual}-{quote(account, safe='@')}") for account in sorted(accounts))]

    def _wanted(self) -> Iterator[Path]:
        """What the daemon only reads; symbolic links and system folders are among it."""
        yield from self._installation()
        yield from self._secrets()
        yield from self._certificates()

    def _installation(self) -> Iterator[Path]:
        yield from self._prefixes
        yield self._places.configuration.user.parent
        yield self._places.configuration.user.resolve().parent  # a link into a dotfiles folder
        yield from self._places.search_path()
        commands = [argv[0] for feed in self._feeds for argv in _commands(feed)]
        for name in dict.fromkeys((*PROGRAMS, *commands)):
            program = self._places.expanded(name) if "/" in name else self._places.program(name)
            if program is not None:
                yield from _homes_of(program)

    def _secrets(self) -> Iterator[Path]:
        for feed in self._feeds:
            yield from (self._places.expanded(path).parent for path in named_files(feed))
            sources = sources_of(feed)
            if NetrcSecret() in sources:
                yield Path(self._places.environ.get("NETRC") or self._places.home / ".netrc").parent
            if any(isinstance(source, KeyringSecret) for source in sources):
                yield from (self._places.belongings / name for name in KEYRING_FILES)
                yield self._places.settings / "python_keyring"

    def _certificates(self) -> Iterator[Path]:
        named = [self._ca, *(self._places.environ.get(variable, "") for variable in CERTIFICATES)]
        for path in named:
            if path.startswith(("/", "~/")):
                yield self._places.expanded(path).parent

    def _is_hidden(self, folder: Path) -> bool:
        """True when ProtectHome= hides the folder or ProtectSystem= makes it read-only."""
        hidden = (self._places.home, Path("/home"), Path("/root"), Path("/run/user"))
        return len(folder.parts) > 1 and any(
            folder.is_relative_to(each) or each.is_relative_to(folder) for each in hidden
        )


def named_files(feed: Mapping[str, Any]) -> list[str]:
    """The files that a feed's own keys name, but for its program: secrets, certificates, and the like."""
    values = [value for key, value in feed.items() if key != "command" and isinstance(value, str)]
    secrets = [source.path for source in sources_of(feed, feed) if isinstance(source, FileSecret)]
    return [*secrets, *(value for value in values if value.startswith(("/", "~/")))]


def _homes_of(program: Path) -> Iterator[Path]:
    """The folders of a program, of its environment and of its interpreter."""
    yield program.parent
    for real in dict.fromkeys((program.resolve(), *_interpreters(program.resolve()))):
        yield real.parent.parent if real.parent.name == "bin" else real.parent


def _interpreters(script: Path) -> Iterator[Path]:
    """The interpreter that a script's first line names, as it is written and as it is."""
    try:
        first = read(script, SHEBANG_BYTES, beginning=True).partition(b"\n")[0]
    except UnreadableFile:
        return
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    if words and words[0].startswith("/"):
        yield Path(words[0])
        yield Path(words[0]).resolve()


def _commands(feed: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    with contextlib.suppress(ValueError):  # the daemon reports it
        yield parse_argv(feed.get("command"))
    yield from (source.argv for source in sources_of(feed) if isinstance(source, CommandSecret))


def _distinct(folders: Iterable[Path]) -> list[Path]:
    """Each folder once, without those that lie in another one of them."""
    every = list(dict.fromkeys(folders))
    return [
        each for each in every if not any(each != other and each.is_relative_to(other) for other in every)
    ]
