"""Where sign-ins are kept on a machine with a secret store."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from broker.core.feeds import READ
from broker.core.login_progress import Kept
from broker.providers.azure.provider import AzureProvider
from tests.fakes.secret_service import SecretService
from tests.providers.azure.feeds import PERSON, feed_with
from tests.providers.azure.persons import approving, entra, grants, home, saved, signing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.providers.protocol import ProviderContext
    from tests.fakes.entra import Entra

__all__ = ["entra", "home"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A secret store that azure-identity finds in this test alone."""
    made = SecretService(tmp_path / "store")
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    for name in [*sys.modules]:
        if name.partition(".")[0] == "gi" or name == "msal_extensions.libsecret":
            del sys.modules[name]  # the next test has another store, or none


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libsecret is the store of Linux")


@pytest.mark.parametrize("in_file", [False, True])
async def test_a_secret_store_keeps_the_sign_in_over_restarts(
    in_file: bool, provider: AzureProvider, entra: Entra, tools: ProviderContext, store: SecretService
) -> None:
    signed_in = await signing(provider, approving(entra), in_file=in_file)
    credential = await AzureProvider(replace(tools, memory={})).obtain(feed_with(), READ)

    assert (signed_in.kept, credential.account) == (Kept.SECRET_STORE, PERSON)
    assert grants(entra) == ["device_code", "refresh_token"]
    assert len([text for text in store.secrets.values() if "RefreshToken" in text]) == 1


async def test_beside_a_secret_store_no_file_has_the_sign_in(
    provider: AzureProvider, entra: Entra, home: Path, store: SecretService
) -> None:
    assert store
    await signing(provider, approving(entra), in_file=True)

    assert saved(home)
    assert not [path for path in saved(home) if "RefreshToken" in path.read_text()]


async def test_signing_out_empties_the_secret_store(
    provider: AzureProvider, entra: Entra, home: Path, store: SecretService
) -> None:
    await signing(provider, approving(entra))
    await provider.sign_out(feed_with())

    assert not [text for text in store.secrets.values() if "RefreshToken" in text]
    assert not saved(home)


async def test_a_store_that_is_locked_is_as_none(
    provider: AzureProvider, entra: Entra, store: SecretService
) -> None:
    store.lock()

    assert (await signing(provider, approving(entra))).kept is Kept.MEMORY
