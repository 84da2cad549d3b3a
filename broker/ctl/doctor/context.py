"""What the doctor looks at: a user's home and environment, a working directory, a broker.

Everything is looked at once, when a check first asks for it. Tests furnish a context of their own.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import token_broker_client as client

from broker.core.feeds import Ambiguous, FeedTable, Match
from broker.core.refresh import State
from broker.core.secret_source import NetrcSecret, sources_of
from broker.core.status import BrokerStatus, FeedStatus
from broker.core.urls import Url, urls_of
from broker.core.why_not import Reason
from broker.ctl import api_client, broker_process
from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import Index, addresses_of
from broker.ctl.clients.required_username import required_by
from broker.ctl.clients.stored_passwords import (
    NetrcEntry,
    StoredLogin,
    StoredLogins,
    netrc_logins,
    uv_store_logins,
)
from broker.ctl.command_error import CommandError
from broker.ctl.config_view import Configured, configured
from broker.ctl.doctor.server_clock import server_date
from broker.ctl.left_reasons import left_reasons
from broker.ctl.matching import table_of
from broker.ctl.service import systemd
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.status.record import broker_status, feed_status
from broker.host.clock import SystemClock
from broker.host.start_failure import no_outcome
from broker.host.whereabouts import working_directory

PROGRAM_LIMIT_S = 30.0
"""az takes a second or two; one that hangs is a finding of its own."""

ASKED_MAX = 64
"""So many feeds are asked, those used last; of the others the last status counts."""

ASKED_AT_ONCE = 8

LONG_AGO = datetime.min.replace(tzinfo=UTC)

NO_ANSWER = 124
"""How a program ended that took longer, as timeout(1) has it."""

NOT_STARTED = 1000
"""Ends no program: its `stderr` says why it could not be started."""


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What the broker said: its status and how long it took, or why there is none."""

    status: BrokerStatus | None = None
    took_s: float = 0.0
    failure: CommandError | None = None


@dataclass(frozen=True, slots=True)
class KnownFeed:
    """A feed that the broker knows, or will when it starts. `settings` are the provider's own keys."""

    name: str
    provider: str
    urls: tuple[Url, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uses_netrc(self) -> bool:
        """True where its secret is in netrc."""
        return NetrcSecret() in sources_of(self.settings)


@dataclass
class DoctorContext:
    """What is looked at. `date_of` is the time by a server's clock, None where it does not tell.

    `ask_feed` has the broker ask one of its feeds whether it takes the token, and raises CommandError.
    """

    user_dirs: UserDirs
    directory: Path
    ask: Callable[[], BrokerAnswer]
    date_of: Callable[[str], datetime | None] = server_date
    ask_system: Callable[[], BrokerAnswer] = field(default_factory=lambda: ask_system_broker)
    ask_feed: Callable[[str], FeedStatus] = field(default_factory=lambda: ask_feed)
    clock: SystemClock = field(default_factory=SystemClock)

    @classmethod
    def here(cls) -> Self:
        """The context of the user who runs us."""
        return cls(UserDirs.here(), working_directory(), ask_broker)

    @cached_property
    def broker(self) -> BrokerAnswer:
        """The user's broker, asked once."""
        return self.ask()

    @cached_property
    def asked(self) -> list[FeedStatus]:
        """The user's feeds that were fetched or asked for, each as it is after the broker asked it, once."""
        status = self.broker.status
        in_use = [feed for feed in status.feeds if feed.state != State.EMPTY] if status is not None else []
        by_use = sorted(in_use, key=lambda feed: feed.last_used_at or LONG_AGO, reverse=True)
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            asked = list(pool.map(self._asked_or_as_it_was, by_use[:ASKED_MAX]))
        return [*asked, *by_use[ASKED_MAX:]]

    def _asked_or_as_it_was(self, feed: FeedStatus) -> FeedStatus:
        try:
            return self.ask_feed(feed.name)
        except CommandError:  # a daemon of an earlier version
            return feed

    @cached_property
    def system(self) -> BrokerAnswer:
        """The system broker, asked once."""
        return self.ask_system()

    @cached_property
    def why_not(self) -> tuple[Reason, ...]:
        """What the last daemon left: why it did not start, why feeds had no answer."""
        return left_reasons(self.user_dirs.environ, self.user_dirs.home)

    @cached_property
    def configured(self) -> Configured:
        """What the configuration says, or why it says nothing."""
        return configured(self.user_dirs)

    @cached_property
    def addresses(self) -> list[Index]:
        """The indexes that clients would read from, or publish to, in the working directory."""
        return [index for index in all_indexes(self.directory, self.user_dirs) if index.is_remote]

    @property
    def indexes(self) -> list[Index]:
        """Those that they would read from."""
        return [index for index in self.addresses if not index.publishes]

    @cached_property
    def feeds(self) -> list[KnownFeed]:
        """Configured feeds, then those that the broker has learned, then the system broker's for us."""
        found = [
            KnownFeed(each.name, each.provider, (each.url, *each.also), each.own_keys)
            for each in self.configured.config.feeds
        ]
        known = {url for feed in found for url in feed.urls}
        for learned in self._served:
            urls = urls_of(learned.urls)
            if urls and not known.intersection(urls):
                found.append(KnownFeed(learned.name, learned.provider, urls))
        return found

    @cached_property
    def netrc(self) -> StoredLogins[NetrcEntry]:
        """The logins of netrc."""
        own = hosts_of(feed for feed in self.feeds if feed.uses_netrc)
        return netrc_logins(self.user_dirs, hosts_of(feed for feed in self.feeds if not feed.uses_netrc), own)

    @cached_property
    def uv_store(self) -> StoredLogins[StoredLogin]:
        """The logins of uv's own store."""
        return uv_store_logins(self.user_dirs, hosts_of(self.feeds))

    @cached_property
    def has_service(self) -> bool:
        """True when a service manager of the user's answers."""
        return systemd.is_there()

    def feed_of(self, text: str) -> tuple[str, str | None] | None:
        """Provider and required username of the feed that an index is, None where it is none of ours."""
        for url in addresses_of(text):
            match self._table.match(url):
                case Match(feed=feed) | Ambiguous(feeds=(feed, *_)):
                    return feed.realm.provider, feed.username
        return None

    @cached_property
    def _table(self) -> FeedTable:
        return table_of(self.configured.config, self._served, required_by(self.user_dirs))

    @cached_property
    def _served(self) -> list[FeedStatus]:
        """What the user's broker says of its feeds, then the system's."""
        told = (status for status in (self.broker.status, self.system.status) if status is not None)
        return [feed for status in told for feed in status.feeds]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program to see what it says; raises nothing; see NOT_STARTED and NO_ANSWER.

        Not in the project: az as pip installs it is `python -m azure.cli` (its src/azure-cli/az), which would
        take modules from there.
        """
        environment = dict(self.user_dirs.environ)
        try:
            return subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=PROGRAM_LIMIT_S,
                cwd="/",
                env=environment,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            code = NO_ANSWER if isinstance(error, subprocess.TimeoutExpired) else NOT_STARTED
            return subprocess.CompletedProcess(list(command), code, "", no_outcome(str(command[0]), error))


def hosts_of(feeds: Iterable[KnownFeed]) -> frozenset[str]:
    """The hosts of feeds."""
    return frozenset(url.origin.host for feed in feeds for url in feed.urls)


def ask_broker() -> BrokerAnswer:
    """Ask the user's broker how it is, without starting one that no service manager keeps."""
    clock = SystemClock()
    try:
        api_client.read(
            "/v1/health", socket=broker_process.socket_path()
        )  # the first look-up of a service starts it
        begun = clock.now()
        api_client.read("/v1/health", socket=broker_process.socket_path())
        took_s = clock.now().boot_s - begun.boot_s
        return BrokerAnswer(broker_status(api_client.read("/v1/status")), took_s)
    except CommandError as failure:
        return BrokerAnswer(failure=failure)


def ask_system_broker() -> BrokerAnswer:
    """Ask the system broker how it is."""
    clock = SystemClock()
    begun = clock.now()
    try:
        status = broker_status(api_client.read("/v1/status", socket=client.SYSTEM_SOCKET))
        return BrokerAnswer(status, clock.now().boot_s - begun.boot_s)
    except CommandError as failure:
        return BrokerAnswer(failure=failure)


def ask_feed(name: str) -> FeedStatus:
    """Have the user's broker ask a feed whether it takes its token. Raises CommandError."""
    return feed_status(api_client.asked_feed(name))


def is_linux() -> bool:
    """True where /proc tells of processes."""
    return sys.platform == "linux" and os.path.isdir("/proc/self")  # noqa: PTH112 - a fixed place
