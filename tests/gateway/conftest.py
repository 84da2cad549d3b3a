from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.fixtures import authority
from tests.gateway.gateway_room import TableBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.authority import Authority

__all__ = ["authority"]


@pytest.fixture
def proxy(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    """The way to every fake host; whose authority the gateway trusts."""
    for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with ConnectProxy(authority) as running:
        yield running


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[TableBroker]:
    """The user's broker."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as folder:
        socket = Path(folder) / "token-broker" / "broker.sock"
        monkeypatch.setenv("TOKEN_BROKER_SOCKET", str(socket))
        monkeypatch.setenv("TOKEN_BROKER_AUTOSTART", "0")
        with TableBroker(socket) as stand_in:
            yield stand_in
