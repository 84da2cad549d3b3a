"""Runtime: the configuration in force, and how the next one replaces it.

Holds the keeper and its providers; satisfies `api.backend.Backend`. A configuration that is broken at the
start does not end the daemon: every request is answered with its error. One that breaks later changes
nothing.
"""

import asyncio
import logging
import os
import random
from collections.abc import AsyncGenerator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.api.backend import About
from broker.config.files import ConfigFiles
from broker.config.model import Config, Layer, load
from broker.core.failures import BadConfiguration, BadRequest
from broker.core.feeds import Feed, FeedTable
from broker.core.log_buffer import LogBuffer
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.why_not import Topic, WhyNot
from broker.daemon.feed_table_builder import renewal_policies_of, schema_of, table_of
from broker.daemon.shares import Shares
from broker.host.accounts import Accounts
from broker.host.clock import Clock
from broker.host.http import Http
from broker.keeper.keeper import Keeper
from broker.keeper.stats import Stats
from broker.providers.feed_check import verify_with
from broker.providers.protocol import Interactive, Provider, ProviderClass, ProviderContext, SignsInElsewhere

log = logging.getLogger("broker.service")


@dataclass(frozen=True, slots=True)
class _InForce:
    """What follows from one configuration."""

    config: Config
    http: Http
    providers: Mapping[str, Provider]
    table: FeedTable


class Runtime:
    """The configuration in force and all that follows from it.

    `environ` is the process's own environment: `[env]` is laid over it, for the SDKs and child processes.
    `system`: this is the system broker.
    """

    def __init__(
        self,
        about: About,
        files: ConfigFiles,
        *,
        clock: Clock,
        environ: MutableMapping[str, str],
        classes: Sequence[ProviderClass],
        system: bool = False,
        log_buffer: LogBuffer | None = None,
    ) -> None:
        self.about = about
        self.stats = Stats()
        self.log_buffer = log_buffer or LogBuffer()
        self.accounts = Accounts(clock)
        self.fault: BadConfiguration | None = None
        self.reload_failure: BadConfiguration | None = None
        self.why_not = WhyNot()
        self._files = files
        self._clock = clock
        self._environ = environ
        self._inherited = dict(environ)
        self._classes = classes
        self._system = system
        self._ending = asyncio.Event()
        self._sign_ins: dict[str, object] = {}
        self._stamps = files.stamps()
        try:
            self._now = self._built(self._read())
        except BadConfiguration as failure:
            self.fault = failure
            self._tell_configuration(failure)
            log.error("bad_configuration: %s", failure)  # noqa: TRY400 - a person's mistake has no traceback
            self._now = self._built(Config())
        self.keeper = Keeper(
            clock=clock,
            table=self._now.table,
            providers=self._now.providers,
            policies=renewal_policies_of(self._now.config),
            verify_at=verify_with(lambda: self._now.http),
            draw=random.SystemRandom().random,
        )
        self.shares = Shares(
            Path(about.socket).parent, os.geteuid(), clock=clock, feed_named=self._configured
        )

    async def reload(self) -> None:
        """Read the configuration again; raises BadConfiguration and changes nothing when it is broken."""
        before = self._now
        self._stamps = self._files.stamps()
        try:
            self._now = self._built(self._read())
        except BadConfiguration as failure:
            self._lay_over(before.config)
            self.reload_failure = failure
            self._tell_configuration(failure)
            log.error("reload_refused: %s", failure)  # noqa: TRY400 - a person's mistake has no traceback
            raise
        self.fault = self.reload_failure = None
        self.why_not.clear(Topic.CONFIGURATION)
        self.keeper.adopt(self._now.table, self._now.providers, renewal_policies_of(self._now.config))
        log.info("reloaded feeds=%d", len(self._now.table.feeds))

    async def reload_if_changed(self, *, anyway: bool = False) -> None:
        """Reload when a file of the configuration is another than the last time; never raises."""
        if anyway or self._files.stamps() != self._stamps:
            try:
                await self.reload()
            except BadConfiguration:
                return  # logged; a client that asks for a reload gets the error as well

    def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        """Sign a person in; raises BadRequest where another program does that."""
        return self._interactive(feed).sign_in(feed, ways, in_file=in_file)

    async def sign_out(self, feed: Feed) -> SignedOut:
        """Drop the sign-in that the feed uses; raises BadRequest where it is another program's."""
        return await self._interactive(feed).sign_out(feed)

    def end(self) -> None:
        """Tell the clients that watch that no more changes will come."""
        self._ending.set()

    async def close(self) -> None:
        """Forget every credential and let go of every connection."""
        self.shares.close()
        self.keeper.close()
        await self._now.http.aclose()

    async def closing(self) -> None:
        """Returns when the daemon is about to end."""
        await self._ending.wait()

    def _tell_configuration(self, failure: BadConfiguration) -> None:
        """Remember why the file on disk is not in force."""
        at = self._clock.now().wall
        self.why_not.tell(Topic.CONFIGURATION, failure.detail, at=at, hint=failure.hint)

    def _configured(self, name: str) -> Feed | None:
        return next((feed for feed in self._now.table.feeds if feed.name == name), None)

    def _interactive(self, feed: Feed) -> Interactive:
        provider = self._now.providers[feed.realm.provider]
        if isinstance(provider, Interactive):
            return provider
        line = provider.sign_in_line(feed) if isinstance(provider, SignsInElsewhere) else None
        own = (
            "has a sign-in of its own" if line is not None else "takes a secret that its configuration names"
        )
        raise BadRequest(f"{provider.name} {own}: the broker cannot sign in there", hint=line)

    def _read(self) -> Config:
        layers = [Layer(each.text, str(each.path), each.role) for each in self._files.read()]
        config = load(layers, schema_of(self._classes), system=self._system)
        for warning in config.warnings:
            log.warning("configuration: %s", warning)
        return config

    def _built(self, config: Config) -> _InForce:
        self._lay_over(config)
        http = Http(ca=config.ca)
        tools = ProviderContext(http, self._environ, lambda: self._clock.now().wall, self._sign_ins)
        providers = {each.name: each(tools) for each in self._classes}
        return _InForce(config, http, providers, table_of(config, providers, system=self._system))

    def _lay_over(self, config: Config) -> None:
        wanted = {**self._inherited, **config.env}
        for name in set(self._environ) - set(wanted):
            del self._environ[name]
        self._environ.update(wanted)
        logging.getLogger("broker").setLevel(config.log.upper())
