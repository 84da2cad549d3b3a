"""The certificate authority of one run: made in memory, limited to the hosts of feeds, never on a disk.

Clients trust the root, whose key is thrown away once it has signed the one intermediate that signs the
certificates of hosts. Both carry the same critical name constraints, so that also a client which ignores
them in a root (RFC 5280 section 6.1 lets it) refuses a certificate for any other host.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from broker.host.clock import Clock

AUTHORITY_LIFE = timedelta(hours=72)
"""The longest that one command can use the gateway."""

LEAF_LIFE = timedelta(hours=4)
LEAF_RENEWED_BEFORE = timedelta(hours=1)
"""A host's certificate is made anew this long before its end; connections that are open keep theirs."""

BACKDATED = timedelta(minutes=5)
"""Clients on this machine have its clock, but a container's or a VM's may lag."""

_NO_ADDRESSES = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))


class RunAuthority:
    """Makes certificates for hosts within `names`: DNS names, each with all below it, and IP addresses.

    `clock` tells the wall's time. May be used by several threads.
    """

    def __init__(self, names: Iterable[str], clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, tuple[datetime, ssl.SSLContext]] = {}
        self._making = threading.Lock()
        constraints = _constraints(names)
        now = clock.now().wall
        root_key, self._key = _new_key(), _new_key()
        root = _authority("token-broker gateway", root_key, None, now, constraints, path_length=1)
        self._issuer = _authority(
            "token-broker gateway hosts", self._key, (root, root_key), now, constraints, path_length=0
        )
        self.certificate = root.public_bytes(Encoding.PEM).decode("ascii")
        """The root in PEM, for clients to trust."""

    def server_context(self, host: str) -> ssl.SSLContext:
        """What a server that is `host` speaks TLS with: HTTP/1.1 alone, TLS 1.2 at least, and only with who
        asks for that host (SNI).

        `host` is a DNS name in lower case or an IP address; whether it is within the constraints is for
        clients to refuse.
        """
        now = self._clock.now().wall
        with self._making:
            made = self._made.get(host)
            if made is None or made[0] - LEAF_RENEWED_BEFORE <= now:
                made = self._made[host] = (now + LEAF_LIFE, self._context(host, now))
            return made[1]

    def _context(self, host: str, now: datetime) -> ssl.SSLContext:
        import ssl  # noqa: PLC0415 - a command may begin before there is a host to serve

        key = _new_key()
        chain = b"".join(
            each.public_bytes(Encoding.PEM) for each in (self._issue(host, key, now), self._issuer)
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.num_tickets = 0  # what clients of one command open again later costs less than two for each
        context.sni_callback = _refusing_others(host)
        with _readable(chain) as chain_path, _readable(pem) as key_path:
            context.load_cert_chain(chain_path, key_path)
        return context

    def _issue(self, host: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
        # no host in the subject: OpenSSL would take an address there for a name that is not permitted
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            _unsigned("token-broker gateway host", key, self._issuer.subject, now, LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _authority(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    now: datetime,
    constraints: x509.NameConstraints,
    *,
    path_length: int,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    return (
        _unsigned(name, key, issuer_name, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(_issued_by(issuer_key), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _unsigned(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _constraints(names: Iterable[str]) -> x509.NameConstraints:
    """A kind of name that is not mentioned is not constrained: without an address, all are excluded."""
    permitted: list[x509.GeneralName] = []
    for name in sorted(set(names)):
        address = _address(name)
        permitted.append(x509.DNSName(name) if address is None else x509.IPAddress(address))
    if not any(isinstance(name, x509.DNSName) for name in permitted):
        permitted.append(x509.DNSName("no-host.invalid"))
    has_address = any(isinstance(name, x509.IPAddress) for name in permitted)
    excluded = None if has_address else [x509.IPAddress(network) for network in _NO_ADDRESSES]
    return x509.NameConstraints(permitted, excluded)


def _address(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name)
    except ValueError:
        return None


def _refusing_others(host: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    """What OpenSSL calls with the name that a client asks for; for an address it asks for none (RFC 6066)."""
    import ssl  # noqa: PLC0415 - as in RunAuthority

    expected = None if _address(host) is not None else host

    def check(_: ssl.SSLObject, asked: str | None, __: ssl.SSLContext) -> int | None:
        matches = (None if asked is None else asked.lower()) == expected
        return None if matches else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    return check


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path that OpenSSL can read the content from, once: `ssl` takes keys from paths only.

    A pipe is no file, and holds 64 KiB without a reader (16 KiB on macOS).
    """
    reader, writer = os.pipe()
    try:
        try:
            os.write(writer, content)
        finally:
            os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
