"""The backend of the `keyring` library that asks token-broker, for clients that import the library.

twine, poetry and hatch never run the `keyring` command; pip and pdm take the library when they can
import it. It answers feeds and says None to the rest, so that the library's chain asks the next
backend; it stores nothing and never raises from a look-up, for one exception switches the keyring
off for a client's whole run. Read token_broker_client.py next, which does all the work.

Importing this file without the library is harmless: nothing is registered then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from token_broker_client import Answer, ask

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend
    from keyring.credentials import Credential
else:
    try:
        from keyring.backend import KeyringBackend
    except ImportError:
        KeyringBackend = object


class TokenBrokerKeyring(KeyringBackend):
    """Answers for the feeds of the user's broker, or the system's; read-only."""

    # Above the feed plug-ins' 9.9, which would sign in by themselves; below 10, the priority of the
    # library's chain, which asks everybody in turn (keyring 25.7, backends/chainer.py).
    priority = 9.95

    def get_password(self, service: str, username: str | None) -> str | None:
        """Return the password for a feed's URL or host, None for everything else."""
        answer = _answer(service, username)
        return None if answer is None else answer.password

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return username and password for a feed, None for everything else. A given username is kept."""
        answer = _answer(service, username)
        if answer is None:
            return None
        from keyring.credentials import SimpleCredential  # noqa: PLC0415 - whoever calls this has the library

        return SimpleCredential(username or answer.username, answer.password)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store nothing: the library's chain goes on to the next backend at this error."""
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        """Delete nothing: the library's chain goes on to the next backend at this error."""
        raise NotImplementedError


def _answer(service: str, username: str | None) -> Answer | None:
    """Return the brokers' answer, or None for any reason there is none.

    A process that a shim passed on to has been through the brokers already, and a broker that uses
    the library marks itself the same way: neither asks again.
    """
    if "TOKEN_BROKER_PASSED" in os.environ:
        return None
    try:
        answer = ask(service, username)
    except Exception:  # noqa: BLE001 - an exception would switch the keyring off for the client's whole run
        return None
    return answer if isinstance(answer, Answer) else None
