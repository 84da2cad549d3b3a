"""Fixtures that more than one provider's tests use."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from broker.host.http import Http
from broker.providers.protocol import ProviderContext
from tests.providers.programs import Workshop
from tests.providers.sdk_nursery import SdkNursery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKING = ("azure.sdk_client", "codeartifact.provider", "google.provider", "jfrog_aws")
"""Who runs an SDK's child."""

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Where a test makes the programs that it wants on the broker's PATH."""
    return Workshop(tmp_path / "workshop", os.environ.get("PATH", os.defpath))


@pytest.fixture
def tools(workshop: Workshop) -> ProviderContext:
    """What a provider is made with; its environment is the workshop's, and nothing is asked over HTTP."""
    return ProviderContext(Http(), workshop.environ, lambda: NOW)


@pytest.fixture(scope="session")
def sdk_nursery() -> Iterator[SdkNursery]:
    """Where the SDKs' children of all tests are forked."""
    made = SdkNursery()
    yield made
    made.close()


@pytest.fixture
def own_children() -> None:
    """For a test that looks at an SDK's child from outside: it is started as the daemon starts it."""


@pytest.fixture(autouse=True)
def forked_children(
    request: pytest.FixtureRequest, sdk_nursery: SdkNursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDK's child has loaded it already."""
    if "own_children" not in request.fixturenames:
        for module in ASKING:
            monkeypatch.setattr(f"broker.providers.{module}.sdk_argv", sdk_nursery.argv)
