"""Fixtures that more than one provider's tests use."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from broker.host.http import Http
from broker.providers.protocol import ProviderContext
from tests.providers.programs import Workshop

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Where a test makes the programs that it wants on the broker's PATH."""
    return Workshop(tmp_path / "workshop", os.environ.get("PATH", os.defpath))


@pytest.fixture
def tools(workshop: Workshop) -> ProviderContext:
    """What a provider is made with; its environment is the workshop's, and nothing is asked over HTTP."""
    return ProviderContext(Http(), workshop.environ, lambda: NOW)
