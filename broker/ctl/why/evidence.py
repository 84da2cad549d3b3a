"""What is known of a run besides the account: the indexes in force, the feeds, other places of passwords."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from broker.core.feeds import Ambiguous, Feed, FeedTable, Match
from broker.core.status import FeedStatus
from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import PIP, UV, Index, Place, addresses_of
from broker.ctl.clients.command_files import dirs_of, folder_of, indexes_of_named_files
from broker.ctl.clients.command_line import PLACE, CommandOptions, indexes_in, obstacles_of
from broker.ctl.clients.foreign_files import inner, nearest_toml
from broker.ctl.clients.keyring_provider import KeyringProvider
from broker.ctl.clients.pip import pip_keyring_provider, requirement_indexes
from broker.ctl.clients.project_keyring import project_keyring
from broker.ctl.clients.required_username import required_by
from broker.ctl.clients.stored_passwords import StoredLogin, netrc_entries, uv_store_entries
from broker.ctl.clients.usernames import username_for
from broker.ctl.clients.uv import uv_keyring_provider
from broker.ctl.clients.uv_files import project_of
from broker.ctl.config_view import configured
from broker.ctl.matching import table_of
from broker.ctl.setup.found_keyrings import what_hides_the_shim
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.recorded_run import RecordedRun

BROKERCTL = "brokerctl"
LOCK = "uv.lock"
ENVIRONMENT = "pyvenv.cfg"
"""Is in every environment (PEP 405)."""


@dataclass
class Evidence:
    """Everything is looked at once, when it is first asked for. `served` is what running brokers say."""

    options: CommandOptions
    run: RecordedRun
    user_dirs: UserDirs
    current: Path
    served: Sequence[FeedStatus] = field(default_factory=tuple)

    @cached_property
    def directory(self) -> Path:
        """The folder that the command's client works in."""
        return folder_of(self.options, self.current)

    @cached_property
    def indexes(self) -> list[Index]:
        """The remote indexes that the command's clients may use, the strongest first."""
        found = [*self._of_command_line(), *all_indexes(self.directory, self._dirs)]
        remote = [index for index in found if index.is_remote]
        if not self.options.uploads:
            return remote
        return sorted(map(self._as_published, remote), key=lambda index: not index.publishes)

    @cached_property
    def netrc(self) -> list[tuple[str, str, str]]:
        """Host, lines and shown path of each entry of netrc."""
        return [(each.host, each.lines, self.shown(each.path)) for each in netrc_entries(self.user_dirs)]

    @cached_property
    def store(self) -> list[StoredLogin]:
        """What is in uv's own store."""
        return list(uv_store_entries(self.user_dirs))

    @cached_property
    def hidden_shim(self) -> tuple[str, str] | None:
        """Why clients do not find the shim, and what to type."""
        if self.options.program == BROKERCTL:  # whose commands find it
            return None
        if self.options.program == UV and "run" in self.options.words:
            inside = project_keyring(project_of(self.directory, self._dirs), self.current, self._dirs)
            if inside is not None:
                return inside.said, inside.repair
        return what_hides_the_shim(self.user_dirs)

    @cached_property
    def locked(self) -> list[str]:
        """The registries that the project's uv.lock names."""
        packages = nearest_toml(project_of(self.directory, self._dirs), LOCK).content.get("package")
        listed = packages if isinstance(packages, list) else ()
        found = (inner(each, "source").get("registry") for each in listed)
        return list(dict.fromkeys(each for each in found if isinstance(each, str)))

    def provider(self, client: str) -> KeyringProvider | None:
        """The keyring provider that uv or pip used; None where none is named."""
        if self.options.provider is not None:
            return KeyringProvider(self.options.provider, Place(PLACE))
        return (
            uv_keyring_provider(self.directory, self._dirs)
            if client == UV
            else pip_keyring_provider(self._dirs)
        )

    def feed_of(self, text: str) -> Feed | None:
        """The feed that an address belongs to."""
        for url in addresses_of(text):
            match self._table.match(url):
                case Match(feed=feed) | Ambiguous(feeds=(feed, *_)):
                    return feed
        return None

    def status_of(self, feed: Feed) -> FeedStatus | None:
        """What a broker says of a feed."""
        return next((each for each in self.served if each.name == feed.name), None)

    def username_at(self, index: Index, feed: Feed | None) -> str:
        """The user name for an index: its own where the feed takes any, else the feed's."""
        if feed is None or feed.username is None:
            return index.typed_username or username_for("" if feed is None else feed.realm.provider)
        return feed.username

    def is_editable(self, index: Index) -> bool:
        """True where the file that the index stands in is the user's to change."""
        source = index.place.source
        return not isinstance(source, Path) or os.access(source, os.W_OK)

    def shown(self, place: Path | str) -> str:
        """A place as a person would spell it."""
        if isinstance(place, Path) and place.is_relative_to(self.current):
            return f"./{place.relative_to(self.current)}"
        return self.user_dirs.shown(place)

    @cached_property
    def _table(self) -> FeedTable:
        return table_of(configured(self.user_dirs).config, self.served, required_by(self.user_dirs))

    @property
    def _dirs(self) -> UserDirs:
        """With the environment whose own pip.conf is read: that of the pip that is run, active or not."""
        told = dirs_of(self.options, self.current, self.user_dirs)
        word = self.options.words[0]
        folder = (self.current / word).parent.parent
        if "/" not in word or not os.access(folder / ENVIRONMENT, os.F_OK):
            return told
        return replace(told, environ={**told.environ, "VIRTUAL_ENV": str(folder)})

    def _of_command_line(self) -> list[Index]:
        program = self.options.program
        clients = (program,) if program in {UV, PIP} else (UV, PIP)
        found = [
            each
            for client in clients
            for each in indexes_in(self.options, client, self.user_dirs.environ, is_on=self._is_on(client))
        ]
        named = indexes_of_named_files(self.options, self.directory, self._dirs.environ)
        found += map(self._judged, named)
        for file in self.options.requirements:
            for index in requirement_indexes(self.directory / file, self._dirs):
                found += [self._judged(replace(index, client=client)) for client in (PIP, UV)]
        return found

    def _as_published(self, index: Index) -> Index:
        """With the login of the command line, which uv takes for whatever address it publishes to."""
        if index.client != UV or not index.publishes:
            return index
        held = Place(PLACE) if self.options.secrets else index.password_at
        return replace(index, username=self.options.username or index.username, password_at=held)

    def _judged(self, index: Index) -> Index:
        """With the obstacles that its client meets."""
        return replace(index, obstacles=obstacles_of(index, is_on=self._is_on(index.client)))

    def _is_on(self, client: str) -> bool:
        provider = self.provider(client)
        return provider is not None and provider.is_on


def same_host(url: str, other: str) -> bool:
    """True when two addresses, or an address and a host, have one host."""
    return _host(url) == _host(other) != ""


def is_below(url: str, prefix: str) -> bool:
    """True when the URL lies at or below the prefix, by whole segments."""
    return f"{url.rstrip('/')}/".startswith(f"{prefix.rstrip('/')}/")


def _host(text: str) -> str:
    return text.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
