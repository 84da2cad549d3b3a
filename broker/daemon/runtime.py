"""Runtime: the configuration in force, and how the next one replaces it.

Holds the keeper and its providers; satisfies `api.backend.Backend`. A configuration that is broken at the
start does not end the daemon: every request is answered with its error. One that breaks later changes
nothing. It is read and built beside the loop (`host/aside.py`), and applied once two looks at the files, a
second apart, agree: an editor may be writing.
"""

import asyncio
import contextlib
import gc
import logging
import os
import random
import sys
from collections.abc import AsyncGenerator, Hashable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from broker.api.backend import About
from broker.config.files import ConfigFiles, LayerText
from broker.config.load import load
from broker.config.model import Config, Layer
from broker.core.defect import name_of
from broker.core.failures import BadConfiguration, BadRequest
from broker.core.feeds import Feed, FeedTable
from broker.core.log_buffer import LogBuffer
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.why_not import Topic, WhyNot
from broker.daemon.authorities_watch import AuthoritiesWatch, stamps_of_authorities
from broker.daemon.feed_table_builder import providers_of, renewal_policies_of, schema_of, table_of
from broker.daemon.shares import Shares
from broker.host.accounts import Accounts
from broker.host.aside import Aside
from broker.host.clock import Clock, nap_or
from broker.host.http import Http
from broker.host.installation import SHIM, beside_us
from broker.keeper.keeper import Keeper
from broker.keeper.provider_guard import BesideTheLoop
from broker.keeper.slot_table import SlotPlan
from broker.keeper.stats import Stats
from broker.providers.feed_check import verify_with
from broker.providers.protocol import Interactive, Provider, ProviderClass, ProviderContext, SignsInElsewhere

SETTLED_S = 1.0
LOOKS_MAX = 5
"""Files are read again until two looks that far apart agree, and then a few times only."""

READING_S = 60.0
STAMPS_S = 5.0
"""Within these times a disk answers, or it hangs."""

SLICE_S = 0.0005
"""While a large configuration is built, the loop gets its turn after this time: Python's own 5 ms count
several times for one look-up.
"""

log = logging.getLogger("broker.service")


@dataclass(frozen=True, slots=True)
class _InForce:
    """What follows from one configuration."""

    config: Config
    environ: Mapping[str, str]
    http: Http
    providers: Mapping[str, Provider]
    table: FeedTable


@dataclass(frozen=True, slots=True)
class _Following:
    """The next configuration, and how the keeper's slots go over to it."""

    now: _InForce
    plan: SlotPlan


@dataclass(frozen=True, slots=True)
class _Look:
    """The files at one moment: their stamps, and what they say or why they cannot be read."""

    stamps: Hashable
    is_whole: bool
    layers: tuple[LayerText, ...] = ()
    fault: str | None = None
    hint: str | None = None


class Runtime:
    """The configuration in force and all that follows from it.

    `environ` is the process's own environment: `[env]` is laid over it, for the SDKs and child processes.
    `system`: this is the system broker. `aside` runs what may block.
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
        aside: BesideTheLoop | None = None,
    ) -> None:
        self.about = about
        self.stats = Stats()
        self.log_buffer = log_buffer or LogBuffer()
        self.accounts = Accounts(clock)
        self.fault: BadConfiguration | None = None
        self.reload_failure: BadConfiguration | None = None
        """Why the files on the disk are not in force, where an earlier reading of them is."""
        self.why_not = WhyNot()
        self._files = files
        self._clock = clock
        self._environ = environ
        self._inherited = dict(environ)
        self._classes = classes
        self._system = system
        self._ending = asyncio.Event()
        self._sign_ins: dict[str, object] = {}
        self.aside = aside or Aside().run
        self._reloading = asyncio.Lock()
        self._look = self._look_at_files()  # here, not aside: no request is served before the first one
        try:
            self._now = self._built(self._read(self._look))
        except BadConfiguration as failure:
            self.fault = failure
            self._tell_configuration(failure)
            log.error("bad_configuration: %s", failure)  # noqa: TRY400 - a person's mistake has no traceback
            self._now = self._built(Config())
        self._lay_over(self._now)
        self._authorities = AuthoritiesWatch(self._stamps_of_trust(), self.why_not, clock)
        self.keeper = Keeper(
            clock=clock,
            table=self._now.table,
            providers=self._now.providers,
            policies=renewal_policies_of(self._now.config),
            verify_at=verify_with(lambda: self._now.http),
            draw=random.SystemRandom().random,
            judged=self.stats.judge,
            aside=aside or Aside().run,  # not the one above: a reload takes its time
        )
        self.shares = Shares(
            Path(about.socket).parent,
            os.geteuid(),
            clock=clock,
            feed_named=self._configured,
            program=beside_us(SHIM),
        )

    @property
    def auto(self) -> bool | frozenset[str]:
        """The configuration's in force."""
        return self._now.config.auto

    @property
    def ca(self) -> Path | None:
        """The configuration's in force."""
        return self._now.config.ca

    async def reload(self) -> None:
        """Read the configuration again; raises BadConfiguration and changes nothing when it is broken.

        Takes at least SETTLED_S where a file has changed, and at most LOOKS_MAX of them and READING_S.
        """
        async with self._reloading:
            try:
                look = await self._settled_look()
                following = await self.aside(lambda: self._following(look), READING_S)
            except TimeoutError:
                self._refuse(_unread("no answer from the disk"))
            except BadConfiguration as failure:
                self._refuse(failure)
            except Exception as defect:
                log.exception("reload_broken")
                self._refuse(_unread(name_of(defect)))
            plan, before, self._now = following.plan, self._now, following.now
            self._lay_over(self._now)
            self.keeper.adopt(plan, self._now.providers, renewal_policies_of(self._now.config))
            self.fault = self.reload_failure = None
            self.why_not.clear(Topic.CONFIGURATION)
            self.why_not.keep(Topic.FEED, lambda name: self.keeper.slot_table.named(name) is not None)
            log.info("reloaded feeds=%d", len(self._now.table.feeds))
            del plan, following
            pile: list[object] = [*before.table.feeds, *before.config.feeds]
            del before
            await self._let_go(pile)

    async def reload_if_changed(self, *, anyway: bool = False) -> None:
        """Reload when a file of the configuration is another than the last time; never raises for a broken
        one. Takes the trusted authorities anew when their files have changed.
        """
        stamps, trust = await self.aside(lambda: (self._files.stamps(), self._stamps_of_trust()), STAMPS_S)
        if anyway or stamps != self._look.stamps:
            with contextlib.suppress(
                BadConfiguration
            ):  # logged; who asks for a reload gets the error as well
                await self.reload()
            trust = self._stamps_of_trust()
        await self._authorities.renew_if_changed(trust, self._now.http)

    def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        """Sign a person in; raises BadRequest where another program does that."""
        return self._interactive(feed, ends=False).sign_in(feed, ways, in_file=in_file)

    async def sign_out(self, feed: Feed) -> SignedOut:
        """Drop the sign-in that the feed uses; raises BadRequest where it is another program's."""
        return await self._interactive(feed, ends=True).sign_out(feed)

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

    def _interactive(self, feed: Feed, *, ends: bool) -> Interactive:
        provider = self._now.providers[feed.realm.provider]
        if isinstance(provider, Interactive):
            return provider
        line = provider.sign_in_line(feed) if isinstance(provider, SignsInElsewhere) else None
        own = (
            "has a sign-in of its own" if line is not None else "takes a secret that its configuration names"
        )
        if ends:
            detail, hint = "the broker has none there to end", f"brokerctl forget {feed.name}"
        else:
            detail, hint = "the broker cannot sign in there", line or f"brokerctl explain {feed.name}"
        raise BadRequest(f"{provider.name} {own}: {detail}", hint=hint)

    def _refuse(self, failure: BadConfiguration) -> NoReturn:
        if self.fault is not None:
            self.fault = failure
        else:
            self.reload_failure = failure
        self._tell_configuration(failure)
        log.error("reload_refused: %s", failure)
        raise failure from None

    def _look_at_files(self) -> _Look:
        stamps = self._files.stamps()
        try:
            layers = tuple(self._files.read())
        except BadConfiguration as failure:
            return _Look(stamps, self._files.stamps() == stamps, fault=failure.detail, hint=failure.hint)
        return _Look(stamps, self._files.stamps() == stamps, layers)

    async def _settled_look(self) -> _Look:
        """The files as two looks in a row found them; raises BadConfiguration while they change."""
        look = await self.aside(self._look_at_files, READING_S)
        if look.is_whole and look == self._look:
            return look
        for _ in range(LOOKS_MAX):
            await nap_or(self._clock, SETTLED_S, asyncio.Event())
            before, look = look, await self.aside(self._look_at_files, READING_S)
            if look.is_whole and look == before:
                self._look = look
                return look
        raise _unread("it is being written")

    def _following(self, look: _Look) -> _Following:
        """What follows from the files. In a thread, in slices short enough for the loop's."""
        slice_s, collects = sys.getswitchinterval(), gc.isenabled()
        sys.setswitchinterval(SLICE_S)
        gc.disable()  # it would go through a large configuration many times, and nothing else runs then
        try:
            now = self._built(self._read(look))
            return _Following(now, self.keeper.planned(now.table))
        finally:
            gc.freeze()
            if collects:
                gc.enable()
            sys.setswitchinterval(slice_s)

    async def _let_go(self, pile: list[object]) -> None:
        """Free a large configuration piece by piece: at once it would hold up the loop."""

        def free() -> None:
            while pile:
                pile.pop()

        with contextlib.suppress(TimeoutError):
            await self.aside(free, READING_S)

    def _read(self, look: _Look) -> Config:
        if look.fault is not None:
            raise BadConfiguration(look.fault, hint=look.hint)
        layers = [Layer(each.text, str(each.path), each.role) for each in look.layers]
        config = load(layers, schema_of(self._classes), system=self._system)
        for warning in config.warnings:
            log.warning("configuration: %s", warning)
        return config

    def _built(self, config: Config) -> _InForce:
        """Everything that follows from a configuration. Touches nothing that is in force."""
        environ = {**self._inherited, **config.env}
        before = getattr(self, "_now", None)
        is_same_way_out = before is not None and (before.config.ca, before.environ) == (config.ca, environ)
        http = before.http if before is not None and is_same_way_out else Http(ca=config.ca)
        tools = ProviderContext(http, environ, lambda: self._clock.now().wall, self._sign_ins)
        providers = providers_of(self._classes, config, tools)
        try:
            table = table_of(config, providers, system=self._system)
        except BadConfiguration:
            raise
        except Exception as defect:
            log.exception("configuration_broken")
            raise _unread(name_of(defect)) from None
        return _InForce(config, environ, http, providers, table)

    def _stamps_of_trust(self) -> Hashable:
        return stamps_of_authorities(self._now.config.ca, self._now.environ)

    def _lay_over(self, now: _InForce) -> None:
        for name in set(self._environ) - set(now.environ):
            del self._environ[name]
        self._environ.update(now.environ)
        logging.getLogger("broker").setLevel(now.config.log.upper())


def _unread(why: str) -> BadConfiguration:
    return BadConfiguration(f"the configuration cannot be used: {why}", hint="brokerctl reload")
