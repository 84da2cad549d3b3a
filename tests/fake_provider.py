"""A provider and a feed that live in the test: they do what they are told and keep what they heard."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from broker.core.credential import Credential, Secret
from broker.core.failures import NotObtained
from broker.core.feeds import Feed
from broker.core.verdict import FeedAnswer, Verdict
from broker.host.lookup_trace import trace_step
from broker.providers.protocol import Settings
from tests.fake_clock import FakeClock


@dataclass
class Issuer:
    """A provider whose service lives in this test: it numbers its tokens and does what it is told."""

    clock: FakeClock
    name: ClassVar[str] = "fake"
    settings: ClassVar[type[Settings]] = Settings
    life_s: float | None = 3600.0
    failure: NotObtained | None = None
    defect: Exception | None = None
    mark: Hashable = "signed in"
    marks_own_calls: bool = False
    same: bool = False
    owner: str | None = None
    hides_owner: bool = False
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def identity(self, settings: Settings) -> str:  # noqa: ARG002 - one for all
        return "default"

    def kind(self, settings: Settings) -> str:  # noqa: ARG002 - one for all
        return "password"

    def username(self, settings: Settings) -> str | None:  # noqa: ARG002 - one for all
        return None

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        self.asked.append(f"{feed.realm.authority} {scope}")
        number = 1 if self.same else len(self.asked)
        await self.gate.wait()
        if self.marks_own_calls:
            self.mark = number
        if self.defect is not None:
            raise self.defect
        if self.failure is not None:
            raise self.failure
        trace_step("signed in", "fake", good=True)
        ends = None if self.life_s is None else self.clock.now().wall + timedelta(seconds=self.life_s)
        username = self.owner or "VssSessionToken"
        return Credential(
            username,
            Secret(f"token-{number}"),
            ends,
            "fake",
            is_personal=self.owner is not None,
            has_secret_name=self.hides_owner,
        )

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:  # noqa: ARG002 - one for all
        return self.mark


@dataclass
class Gatekeeper:
    """The feeds' own word about a credential, in order; accepted when nothing else was said."""

    words: list[Verdict | FeedAnswer] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, feed: Feed, credential: Credential) -> FeedAnswer:
        self.heard.append(f"{feed.name} {credential.secret.reveal()}")
        await self.gate.wait()
        word = self.words.pop(0) if self.words else Verdict.ACCEPTED
        return word if isinstance(word, FeedAnswer) else FeedAnswer(word)
