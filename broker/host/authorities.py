"""The certificate authorities that this machine's programs trust, for whoever speaks TLS to others.

Those of the system and those that the usual variables name, as every client has them. Session keys are
never written: `ssl.create_default_context` would obey SSLKEYLOGFILE, so nothing here uses it.
"""

import os
import ssl
import sys
from pathlib import Path

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class UnreadableAuthoritiesError(Exception):
    """A file of authorities cannot be used: the message names it and says why."""


def trusting_context(ca: Path | None = None) -> ssl.SSLContext:
    """A client's TLS context that trusts the file, or without one the system's authorities and those that
    the variables name. Raises UnreadableAuthoritiesError.
    """
    if ca is not None:
        return _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), str(ca))
    context = _system_context()
    for path in filter(None, map(os.environ.get, CA_VARIABLES)):
        _trusting(context, path)
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform != "darwin":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        if context.cert_store_stats()["x509_ca"]:
            # truststore 0.10 would read the same bundle again for every connection: 20 ms of the loop's time
            return context
    import truststore  # noqa: PLC0415 - knows macOS's keychain, and where each Linux keeps its bundle

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trusting(context: ssl.SSLContext, path: str) -> ssl.SSLContext:
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        reason = "not certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise UnreadableAuthoritiesError(
            f"the trusted authorities in {path} cannot be read: {(reason or 'unknown error').lower()}"
        ) from error
    return context
