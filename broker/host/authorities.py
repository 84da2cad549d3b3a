"""The certificate authorities that this machine's programs trust, for whoever speaks TLS to others.

Those of the system and those that the usual variables name, as every client has them. Session keys are
never written: `ssl.create_default_context` would obey SSLKEYLOGFILE, so nothing here uses it.
"""

import os
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from broker.host.trusted_file import UnreadableFile, read, read_trusted

CA_BYTES_MAX = 16 * 1024 * 1024
"""A system's bundle has 250 kB."""

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class UnreadableAuthoritiesError(Exception):
    """A file of authorities cannot be used: the message names it and says why."""


def trusting_context(ca: Path | None = None) -> ssl.SSLContext:
    """A client's TLS context that trusts the file, or without one the system's authorities and those that
    the variables name. Raises UnreadableAuthoritiesError.

    The configuration's file must be one that no other user could have put there. What a variable names is
    taken from any file, as every client takes it: CI jobs keep theirs in folders that all can write.
    """
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _add(context, ca, _content(ca, partial(read_trusted, unmapped=True)))
        return context
    paths = dict.fromkeys(Path(path) for path in filter(None, map(os.environ.get, CA_VARIABLES)))
    named = [(path, _content(path, read)) for path in paths]  # first: OpenSSL would wait for a pipe
    context = _system_context()
    for path, content in named:
        _add(context, path, content)
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


def _content(path: Path, reader: Callable[[Path, int], bytes]) -> str | None:
    """What is to be parsed; None for a folder, in which OpenSSL looks when it needs to."""
    try:
        # comments may hold the authority's name in any encoding
        return None if path.is_dir() else reader(path, CA_BYTES_MAX).decode("ascii", errors="ignore")
    except UnreadableFile as error:
        raise _unreadable(path, error.told_of(path)) from None
    except OSError as error:
        raise _unreadable(path, _said(error)) from None


def _add(context: ssl.SSLContext, path: Path, content: str | None) -> None:
    """`content` is the file's. Parsing a system's bundle takes 50 ms."""
    try:
        context.load_verify_locations(capath=path if content is None else None, cadata=content)
    except (ssl.SSLError, ValueError):  # the latter where there is nothing at all
        raise _unreadable(path, "not certificates in PEM form") from None
    except OSError as error:
        raise _unreadable(path, _said(error)) from None


def _unreadable(path: Path, reason: str) -> UnreadableAuthoritiesError:
    return UnreadableAuthoritiesError(f"the trusted authorities in {path} cannot be read: {reason}")


def _said(error: OSError) -> str:
    return (error.strerror or "unknown error").lower()
