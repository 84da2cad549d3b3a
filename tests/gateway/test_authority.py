"""The run's authority is limited to the hosts of feeds, by the verifiers that clients have."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from broker.gateway.authority import AUTHORITY_LIFE, LEAF_LIFE, RunAuthority
from broker.host.clock import SystemClock
from tests.fake_clock import FakeClock
from tests.fakes.clients import UV

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["packages.example", "pkg.dev", "192.0.2.7"]


def handshake(authority: RunAuthority, host: str) -> None:
    """TLS between a client of Python's that trusts the authority and a server that is `host`."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=authority.certificate)
    ends = [ssl.MemoryBIO() for _ in range(4)]
    here = client.wrap_bio(ends[0], ends[1], server_hostname=host)
    there = authority.server_context(host).wrap_bio(ends[2], ends[3], server_side=True)
    for _ in range(4):
        for one, out, to in ((here, ends[1], ends[2]), (there, ends[3], ends[0])):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                pass
            finally:
                to.write(out.read())


@pytest.mark.parametrize("host", ["packages.example", "eu-python.pkg.dev", "192.0.2.7"])
def test_hosts_of_feeds_are_believed(host: str) -> None:
    handshake(RunAuthority(NAMES, SystemClock()), host)


@pytest.mark.parametrize("host", ["evil.example", "example", "notpkg.dev", "192.0.2.8", "2001:db8::1"])
def test_openssl_refuses_other_hosts_of_this_authority(host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(RunAuthority(NAMES, SystemClock()), host)


def test_addresses_are_refused_where_no_feed_has_one() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="excluded subtree violation"):
        handshake(RunAuthority(["packages.example"], SystemClock()), "192.0.2.7")


def test_authority_without_feeds_is_good_for_nothing() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(RunAuthority([], SystemClock()), "packages.example")


def test_constraints_are_critical_and_lives_are_hours() -> None:
    root = x509.load_pem_x509_certificate(RunAuthority(NAMES, SystemClock()).certificate.encode())

    assert root.extensions.get_extension_for_class(x509.NameConstraints).critical
    assert timedelta(hours=72) >= AUTHORITY_LIFE
    assert timedelta(hours=4) >= LEAF_LIFE
    assert root.not_valid_after_utc - datetime.now(UTC) <= AUTHORITY_LIFE


async def test_certificate_is_made_anew_before_its_end() -> None:
    clock = FakeClock()
    authority = RunAuthority(NAMES, clock)
    first = authority.server_context("packages.example")
    assert authority.server_context("packages.example") is first

    await clock.advance(LEAF_LIFE.total_seconds() - 3000)

    assert authority.server_context("packages.example") is not first


class Server:
    """A server that is `host` behind any name, on a port of loopback, for clients that are programs."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> int:
        self._thread.start()
        return self.port

    def __exit__(self, *_: object) -> None:
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()

    _closing = False

    def _serve(self) -> None:
        while not self._closing:
            connection, _ = self._listener.accept()
            connection.settimeout(60)
            try:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(65536)
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                connection.close()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[RunAuthority, Path]:
    made = RunAuthority(["packages.example"], SystemClock())
    (tmp_path / "ca.pem").write_text(made.certificate)
    return made, tmp_path / "ca.pem"


def programs(port: int, host: str, bundle: Path) -> dict[str, list[str]]:
    """Programs that ask https://HOST:PORT/, led to loopback."""
    url = f"https://{host}:{port}/"
    script = (
        f"require('https').get({{host:'127.0.0.1',port:{port},servername:'{host}'}},r=>r.resume())"
        ".on('error',e=>{console.error(e.code,e.message);process.exit(1)})"
    )
    return {
        "curl": [
            "curl",
            "-sS",
            "--noproxy",
            "*",
            "--resolve",
            f"{host}:{port}:127.0.0.1",
            "--cacert",
            str(bundle),
            url,
        ],
        "node": ["node", "-e", script],
        "openssl": [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host),
            *("-CAfile", str(bundle), "-verify_hostname", host, "-verify_return_error", "-brief"),
        ],
    }


@pytest.mark.parametrize("program", ["curl", "node", "openssl"])
def test_programs_refuse_other_hosts_of_this_authority(
    authority: tuple[RunAuthority, Path], program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    made, bundle = authority

    ended = {}
    for host in ("packages.example", "evil.example"):
        with Server(made.server_context(host)) as port:
            environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "NODE_EXTRA_CA_CERTS": str(bundle)}
            ended[host] = subprocess.run(
                programs(port, host, bundle)[program],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
            ).returncode

    assert ended["packages.example"] == 0
    assert ended["evil.example"] != 0


def test_uv_refuses_other_hosts_of_this_authority(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"

    said = {}
    for name in ("localhost", "packages.example"):
        made = RunAuthority([name], SystemClock())
        bundle.write_text(made.certificate)
        with Server(made.server_context("localhost")) as port:
            environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SSL_CERT_FILE": str(bundle)}
            ended = subprocess.run(
                [
                    UV,
                    "pip",
                    "install",
                    "--no-cache",
                    "--target",
                    tmp_path / "in",
                    "x",
                    "--index-url",
                    f"https://localhost:{port}/",
                ],
                env={**environment, "UV_HTTP_RETRIES": "0"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            said[name] = ended.stderr

    assert "certificate" not in said["localhost"].lower()
    assert "invalid peer certificate" in said["packages.example"]
    assert "NameConstraint" in said["packages.example"]
