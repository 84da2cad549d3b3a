"""A certificate authority of the tests' own: any host name gets a certificate that only holders of its
bundle trust. `shared_authority()` is one for the whole run, since making keys costs more than TLS.
Next: `connect_proxy.py`.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

UNNAMEABLE = "unnameable.invalid"


class Authority:
    """Issues server certificates, and writes the bundle that makes clients trust them into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._issuing = threading.Lock()
        self.bundle = folder / "test-ca.pem"
        self._ca.cert_pem.write_to_path(self.bundle)

    def server_context(self, host: str) -> ssl.SSLContext:
        """What a server that is `host` (a name or an address) speaks TLS with; made once per host."""
        with self._issuing:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._certificate(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]

    def expired_context(self, host: str) -> ssl.SSLContext:
        """What a server speaks TLS with whose certificate ended yesterday."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ended = datetime.now(UTC) - timedelta(days=1)
        self._ca.issue_cert(host, not_before=ended - timedelta(days=90), not_after=ended).configure_cert(
            context
        )
        return context

    def _certificate(self, host: str) -> trustme.LeafCert:
        try:
            return self._ca.issue_cert(host)
        except ValueError:  # no certificate can carry this name; a hostile test may still ask for it
            return self._ca.issue_cert(UNNAMEABLE)

    def client_context(self) -> ssl.SSLContext:
        """What a client that trusts this authority alone speaks TLS with."""
        return ssl.create_default_context(cafile=self.bundle)


@functools.cache
def shared_authority() -> Authority:
    """The run's one authority; its folder is removed when the interpreter ends."""
    return Authority(_folder("authority"))


@functools.cache
def strange_authority() -> Authority:
    """An authority that nobody trusts, for certificates that must be refused."""
    return Authority(_folder("strangers"))


def _folder(name: str) -> Path:
    folder = tempfile.mkdtemp(prefix=f"token-broker-{name}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
