"""What every provider keeps to whose secret the configuration only points at; its test class inherits this.

Beside the fixtures of ProviderContract, but for `secrets` and `hanging`, it gives `made`: a feed with these
keys, of which only `secret` is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from tests.contract.provider_contract import Hanging, ProviderContract
from tests.providers.programs import hanging

if TYPE_CHECKING:
    from broker.core.feeds import Feed
    from broker.providers.protocol import Provider
    from tests.providers.programs import Workshop


class KeptSecretContract(ProviderContract):
    """Every secret of such a test has `s3cret` in it."""

    def made(self, provider: Provider, **keys: object) -> Feed:
        """A feed of the provider's whose table has these keys."""
        raise NotImplementedError

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("hang")
        return hanging(self.made(provider, secret="command:hang"), workshop)

    def test_a_plain_secret_is_refused_without_being_shown(
        self, provider: Provider, settings_keys: dict[str, object]
    ) -> None:
        with pytest.raises(ValidationError, match="never written in the configuration") as raised:
            provider.settings.model_validate({**settings_keys, "secret": "s3cret"})

        assert "s3cret" not in str(raised.value)

    def test_a_replaced_secret_changes_the_marks(self, provider: Provider, workshop: Workshop) -> None:
        workshop.file("kept", "s3cret")
        feed = self.made(provider, secret="file:~/kept")
        before = provider.sign_in_fingerprint(feed)

        workshop.file("kept", "s3cret-of-tomorrow")

        assert provider.sign_in_fingerprint(feed) != before

    def test_feeds_of_one_server_differ_by_their_secrets_place(self, provider: Provider) -> None:
        places = ("env:A", "env:B", "file:~/a", "keyring:a", "netrc", "command:pass a", "command:pass b")

        assert len({self.made(provider, secret=place).key() for place in places}) == len(places)
