"""What every provider keeps to. A provider's test class inherits ProviderContract and gives its fixtures.

`environment` is the variables a fresh provider is made with; whatever runs or listens for a test belongs to
its fixtures, never to this file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from broker.core.failures import NotObtained
from broker.core.feeds import DEFAULT_IDENTITY, READ

if TYPE_CHECKING:
    from broker.core.feeds import Feed
    from broker.providers.protocol import Provider


@dataclass(frozen=True)
class Hanging:
    """A feed whose `obtain` never ends; `begun` blocks until it is under way, `left` is what still runs."""

    feed: Feed
    begun: Callable[[], object]
    left: Callable[[], list[int]]


class ProviderContract:
    """The fixtures to give: `provider`, `feed` (one that can be obtained), `failing` (those that cannot, by
    what is wrong), `secrets` (every secret text there is), `hanging` and `settings_keys` (keys and values
    that make settings).
    """

    async def test_a_credential_shows_its_secret_to_nobody(
        self, provider: Provider, feed: Feed, secrets: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)

        credential = await provider.obtain(feed, READ)

        shown = repr(credential) + str(credential) + caplog.text
        assert credential.secret.reveal() not in shown
        assert not [secret for secret in secrets if secret in shown]

    async def test_a_credential_says_where_it_is_from_and_when_it_ends(
        self, provider: Provider, feed: Feed
    ) -> None:
        credential = await provider.obtain(feed, READ)

        assert credential.username
        assert credential.source
        assert credential.expires_at is None or credential.expires_at.utcoffset() is not None

    async def test_two_attempts_are_alike(self, provider: Provider, feed: Feed) -> None:
        first, second = await provider.obtain(feed, READ), await provider.obtain(feed, READ)

        assert (first.username, first.source, first.account) == (
            second.username,
            second.source,
            second.account,
        )

    async def test_a_failure_is_one_line_with_a_hint_or_none_and_without_a_secret(
        self,
        provider: Provider,
        failing: dict[str, Feed],
        secrets: list[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)

        for name, feed in failing.items():
            with pytest.raises(NotObtained) as raised:
                await provider.obtain(feed, READ)

            failure = raised.value
            shown = f"{failure.detail} {failure.hint} {failure!r} {caplog.text}"
            assert failure.detail.isprintable(), name
            assert failure.detail, name
            assert not failure.detail.endswith("."), name
            assert failure.hint is None or (failure.hint.isprintable() and failure.hint), name
            assert not [secret for secret in secrets if secret in shown], name
            # what a failure hides, its cause must not print in a traceback either
            assert failure.__suppress_context__ or failure.__context__ is None, name

    async def test_cancelling_leaves_nothing_running(self, provider: Provider, hanging: Hanging) -> None:
        attempt = asyncio.create_task(provider.obtain(hanging.feed, READ))
        await asyncio.to_thread(hanging.begun)

        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

        assert hanging.left() == []

    def test_settings_that_name_nobody_have_the_default_identity(self, provider: Provider) -> None:
        try:
            nobody = provider.settings()
        except ValidationError:
            return  # this provider's settings always name somebody

        assert provider.identity(nobody) == DEFAULT_IDENTITY

    def test_equal_settings_have_one_identity_and_kind(
        self, provider: Provider, settings_keys: dict[str, object]
    ) -> None:
        one, other = (provider.settings.model_validate(settings_keys) for _ in range(2))

        assert provider.identity(one) == provider.identity(other)
        assert provider.kind(one) == provider.kind(other)
        assert provider.username(one) == provider.username(other)

    def test_settings_refuse_unknown_keys(self, provider: Provider, settings_keys: dict[str, object]) -> None:
        with pytest.raises(ValidationError, match="Extra inputs"):
            provider.settings.model_validate({**settings_keys, "tenannt": "x"})

    def test_settings_never_change(self, provider: Provider, settings_keys: dict[str, object]) -> None:
        settings = provider.settings.model_validate(settings_keys)

        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, next(iter(provider.settings.model_fields)), None)

    async def test_marks_are_stable_and_can_be_compared(self, provider: Provider, feed: Feed) -> None:
        before = provider.sign_in_fingerprint(feed)
        await provider.obtain(feed, READ)

        assert hash(before) == hash(provider.sign_in_fingerprint(feed))
        assert before == provider.sign_in_fingerprint(feed)
