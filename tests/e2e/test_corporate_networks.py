"""Networks as companies have them, with the real programs: squid that wants a password, mitmproxy that opens
TLS. Behind each stands the household's proxy, which leads every host to its fake.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.household import PLAIN_FEED, Household, feed
from tests.e2e.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SQUID = shutil.which("squid", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SQUID_AUTH = Path("/usr/lib/squid/basic_ncsa_auth")
MITMDUMP = os.environ.get("TOKEN_BROKER_TEST_MITMDUMP") or shutil.which("mitmdump")
USER, PASSWORD = "dev", "the-proxys-own-password"
AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
PROXIES = ("HTTPS_PROXY", "https_proxy")
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """The proxy, from when it listens."""
    with log.open("wb") as written, subprocess.Popen(command, stdout=written, stderr=written) as process:
        try:
            until(lambda: listens(port) or process.poll() is not None, "the proxy's port")
            assert process.poll() is None, log.read_text()[-2000:]
            yield
        finally:
            process.terminate()


@pytest.fixture
def squid(house: Household) -> Iterator[int]:
    """A squid that wants USER's password, before the household's proxy; its port."""
    if SQUID is None or not SQUID_AUTH.exists():
        pytest.skip("there is no squid here")
    port, parent = free_port(), urlsplit(house.proxy.url).port
    with tempfile.TemporaryDirectory(prefix="squid-") as made:
        folder = Path(made)
        folder.chmod(0o777)  # squid gives up root's rights
        openssl = ["openssl", "passwd", "-apr1", PASSWORD]
        hashed = subprocess.run(openssl, capture_output=True, text=True, check=True).stdout.strip()
        (folder / "users").write_text(f"{USER}:{hashed}\n")
        (folder / "users").chmod(0o644)
        settings = folder / "squid.conf"
        settings.write_text(
            f"http_port 127.0.0.1:{port}\n"
            f"cache_peer 127.0.0.1 parent {parent} 0 no-query no-digest default\n"
            "never_direct allow all\ncache deny all\nshutdown_lifetime 0 seconds\n"
            f"auth_param basic program {SQUID_AUTH} {folder}/users\n"
            "acl users proxy_auth REQUIRED\nhttp_access allow users\nhttp_access deny all\n"
            f"pid_filename {folder}/squid.pid\naccess_log none\ncache_log {folder}/cache.log\n"
            f"coredump_dir {folder}\n"
        )
        with running([SQUID, "-N", "-f", str(settings)], port, folder / "out"):
            yield port


@pytest.fixture
def mitm(house: Household) -> Iterator[tuple[int, Path]]:
    """A mitmproxy that opens every connection, before the household's proxy; its port, its authority."""
    if MITMDUMP is None:
        pytest.skip("there is no mitmproxy here")
    port, folder = free_port(), house.folder / "mitm"
    folder.mkdir()
    bundle = house.environment["SSL_CERT_FILE"]
    command = [
        *(MITMDUMP, "--quiet", "--mode", f"upstream:{house.proxy.url}", "--listen-host", "127.0.0.1"),
        *("--listen-port", str(port), "--set", f"confdir={folder}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={bundle}"),
    ]
    with running(command, port, folder / "log"):
        authority = folder / "mitmproxy-ca-cert.pem"
        until(authority.exists, "mitmproxy's authority")
        yield port, authority


def behind(house: Household, port: int, *, login: str = "") -> None:
    """Have the household's user be told of this proxy alone."""
    house.environment |= dict.fromkeys(PROXIES, f"http://{login}127.0.0.1:{port}")


def configured(house: Household) -> None:
    house.configure(feed("corp", AZURE) + house.plain_feed())


def installs(house: Household, into: Path) -> list[str]:
    """What uv and pip install from both feeds; [] where all went well."""
    failed = []
    for number, (url, user) in enumerate(((AZURE, "VssSessionToken"), (PLAIN_FEED, "ci"))):
        named = url.replace("https://", f"https://{user}@")
        for client, run in (("uv", house.uv_pip), ("pip", house.pip)):
            target = into / f"{client}{number}"
            quiet = "--no-cache" if client == "uv" else "--no-cache-dir"
            done = run("install", quiet, "--target", target, "--index-url", named, "demo-package")
            failed += [done.text] if done.exit_code else []
    return failed


def test_a_proxy_that_wants_a_password_is_passed(house: Household, squid: int, tmp_path: Path) -> None:
    behind(house, squid, login=f"{USER}:{PASSWORD}@")
    configured(house)

    with house.brokerd() as broker:
        failed = installs(house, tmp_path)
        corp = broker.wire.feed("corp")

    assert failed == []
    assert (corp["state"], PASSWORD in str(corp)) == ("fresh", False)


@pytest.mark.parametrize("login", ["", f"{USER}:the-wrong-password@"])
def test_a_proxy_that_says_no_is_told_without_its_password(house: Household, squid: int, login: str) -> None:
    behind(house, squid, login=login)
    configured(house)

    with house.brokerd() as broker:
        asked = house.keyring("--mode=creds", "get", AZURE)
        corp = broker.wire.feed("corp")

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "proxy" in asked.stderr
    assert corp["state"] == "failing"
    assert "the-wrong-password" not in asked.text + str(corp)


def test_a_proxy_that_opens_tls_is_passed_where_its_authority_is_trusted(
    house: Household, mitm: tuple[int, Path], tmp_path: Path
) -> None:
    port, authority = mitm
    behind(house, port)
    house.environment |= dict.fromkeys(BUNDLES, str(authority))
    configured(house)

    with house.brokerd() as broker:
        failed = installs(house, tmp_path)

        assert broker.wire.feed("corp")["state"] == "fresh"
    assert failed == []


def test_a_proxy_that_opens_tls_is_named_where_nobody_trusts_it(
    house: Household, mitm: tuple[int, Path]
) -> None:
    behind(house, mitm[0])
    configured(house)

    with house.brokerd():
        asked = house.keyring("--mode=creds", "get", AZURE)

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "certificate" in asked.stderr


READ = """
import asyncio
from broker.providers.keyring_store import read_login
print(*asyncio.run(read_login("packages", "ci")))
"""


@pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="there is no gnome-keyring here",
)
def test_a_secret_in_the_real_gnome_keyring_is_read(tmp_path: Path) -> None:
    """A bus and a keyring of the test's own; the entry is made by the command that the hint names."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    keyring = f"{sys.executable} -m keyring"
    store = "keyring.backends.SecretService.Keyring"
    script = (
        "printf '%s' unlocking | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1\n"
        f"printf '%s' the-secret-of-ci | {keyring} -b {store} set packages ci\n"
        f"exec {sys.executable} -c '{READ}'\n"
    )
    tmp_path.chmod(0o700)

    done = subprocess.run(
        ["dbus-run-session", "--", "/bin/sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "ci the-secret-of-ci\n"), done.stderr[-2000:]
