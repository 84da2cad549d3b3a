"""The client's functions and backend in this process, with a scripted broker where they look for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import token_broker_client
from token_broker_keyring import TokenBrokerKeyring

from tests.contract.scripted_broker import ScriptedBroker

VARIABLES = ("SOCKET", "TRUST_UID", "PASSED", "TIMEOUT", "AUTOSTART")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder, short enough for a socket; the variables lead there and no broker is started."""
    folder = Path(tempfile.mkdtemp(prefix="c-"))
    for name in VARIABLES:
        monkeypatch.delenv(f"TOKEN_BROKER_{name}", raising=False)
    monkeypatch.setenv("TOKEN_BROKER_AUTOSTART", "0")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(token_broker_client, "SYSTEM_SOCKET", f"{folder}/system/broker.sock")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def broker(place: Path) -> Iterator[ScriptedBroker]:
    """The user's broker."""
    with ScriptedBroker(place / "token-broker" / "broker.sock") as broker:
        yield broker


@pytest.fixture
def backend() -> TokenBrokerKeyring:
    return TokenBrokerKeyring()  # type: ignore[no-untyped-call]
