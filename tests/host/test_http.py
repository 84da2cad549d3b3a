import asyncio
import contextlib
import gzip
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broker.host.http import CONNECTIONS_MAX, Http, Request, Response
from broker.host.http_errors import Unreachable
from tests.fakes import http1
from tests.fakes.authority import shared_authority, strange_authority
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.loopback import WebServer

HOST = "feeds.example.com"
URL = f"https://{HOST}/simple/"
MARKER = "TBKTEST-0123456789abcdef"


class Site:
    """Answers what a test sets, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: http1.Answer = http1.Response(200, b"fine")
        self.asked: list[http1.Request] = []

    def __call__(self, request: http1.Request) -> http1.Answer:
        self.asked.append(request)
        return self.answer


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    """The way to the site: the environment points to it and trusts its authority."""
    with ConnectProxy(shared_authority()) as proxy:
        proxy.route(HOST, site)
        for name in set(os.environ) - set(proxy.environment()):
            monkeypatch.delenv(name)
        for name, value in proxy.environment().items():
            monkeypatch.setenv(name, value)
        yield proxy


@pytest.fixture
async def http(proxy: ConnectProxy) -> AsyncIterator[Http]:  # noqa: ARG001 - it sets the environment
    async with Http() as http:
        yield http


async def _failure(http: Http, url: str = URL, *, deadline_s: float = 10.0) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        await http.send(Request("GET", url), deadline_s=deadline_s)
    assert caught.value.host == url.split("/")[2].partition(":")[0]
    assert "\n" not in caught.value.reason
    return caught.value


async def test_an_answer_comes_back_whole_and_unfolded(http: Http, site: Site) -> None:
    site.answer = http1.Response(401, b"who", (("WWW-Authenticate", "Bearer"), ("WWW-Authenticate", "Basic")))

    response = await http.send(Request("POST", URL, (("Authorization", "Basic eA=="),), b"a=b"))

    assert (response.status, response.body) == (401, b"who")
    assert response.values("www-authenticate") == ("Bearer", "Basic")
    assert site.asked[0].method == "POST"
    assert site.asked[0].body == b"a=b"
    assert site.asked[0].header("authorization") == "Basic eA=="
    assert (site.asked[0].header("user-agent") or "").startswith("token-broker/")


async def test_a_redirect_is_an_answer_like_any_other(http: Http, site: Site, proxy: ConnectProxy) -> None:
    site.answer = http1.Response(302, b"", (("Location", "https://elsewhere.example.com/"),))

    response = await http.send(Request("GET", URL))

    assert response.status == 302
    assert proxy.hosts == [HOST]


async def test_cookies_are_not_kept(http: Http, site: Site) -> None:
    site.answer = http1.Response(200, b"", (("Set-Cookie", "session=1; Path=/"),))

    for _ in range(2):
        await http.send(Request("GET", URL))

    assert [request.header("cookie") for request in site.asked] == [None, None]


async def test_head_only_leaves_the_body_where_it_is(http: Http, site: Site) -> None:
    site.answer = http1.Half(http1.Response(200, b"x" * 1_000_000))

    response = await http.send(Request("GET", URL), head_only=True)

    assert (response.status, response.body) == (200, b"")


async def test_an_answer_may_be_as_long_as_the_limit(http: Http, site: Site) -> None:
    site.answer = http1.Response(200, b"x" * 1000)

    response = await http.send(Request("GET", URL), body_bytes=1000)

    assert len(response.body) == 1000


async def test_a_longer_answer_is_none(http: Http, site: Site) -> None:
    site.answer = http1.Response(200, b"x" * 1001)

    with pytest.raises(Unreachable, match="answered with more than 1,000 bytes") as caught:
        await http.send(Request("GET", URL), body_bytes=1000)

    assert caught.value.kind == "broken"


async def test_a_packed_answer_is_not_unpacked(http: Http, site: Site) -> None:
    site.answer = http1.Response(200, gzip.compress(b"x" * 10_000_000), (("Content-Encoding", "gzip"),))

    failure = await _failure(http)

    assert failure.kind == "broken"
    assert site.asked[0].header("accept-encoding") == "identity"


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (http1.Reset(), "broken", f"{HOST} hung up without a whole answer"),
        (http1.Half(http1.Response(200, b"x" * 100)), "broken", f"{HOST} hung up without a whole answer"),
        (http1.Silence(), "timeout", f"{HOST} did not answer within 0.5 s"),
    ],
)
async def test_a_bad_answer_is_told_in_a_line(
    http: Http, site: Site, answer: http1.Answer, kind: str, reason: str
) -> None:
    await http.send(Request("GET", URL))
    site.answer = answer

    failure = await _failure(http, deadline_s=0.5)

    assert (failure.kind, failure.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("conduct", "kind", "reason"),
    [
        (Conduct.REFUSE, "proxy", "{proxy} refused the connection to {host}: 502 bad gateway"),
        (
            Conduct.DEMAND_LOGIN,
            "proxy",
            "{proxy} refused the connection to {host}: 407 proxy authentication required",
        ),
        (Conduct.RESET, "proxy", "{proxy} hung up without a whole answer"),
        (Conduct.HANG, "timeout", "{proxy} did not answer within 0.5 s"),
        (
            Conduct.STRANGE_CERTIFICATE,
            "tls",
            (
                "{host} cannot be reached: its certificate is not trusted (unable to get local issuer"
                " certificate)"
            ),
        ),
    ],
)
async def test_a_failure_on_the_way_names_who_failed(
    http: Http, proxy: ConnectProxy, conduct: Conduct, kind: str, reason: str
) -> None:
    await http.send(Request("GET", URL))
    proxy.conduct(HOST, conduct)

    failure = await _failure(http, deadline_s=0.5 if conduct is Conduct.HANG else 10.0)

    at = f"the proxy at 127.0.0.1:{proxy.port}"
    assert (failure.kind, failure.reason) == (kind, reason.format(proxy=at, host=HOST))


async def test_a_proxy_that_is_not_there_is_named(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    port = _closed_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{MARKER}@127.0.0.1:{port}")
    monkeypatch.setenv("https_proxy", f"http://user:{MARKER}@127.0.0.1:{port}")

    failure = await _failure(http)

    assert failure.kind == "proxy"
    assert failure.reason == f"the proxy at 127.0.0.1:{port} cannot be reached: connection refused"


async def test_a_proxy_variable_that_is_no_address_is_named_without_its_value(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://user:{MARKER}@127.0.0.1:99999")
    monkeypatch.setenv("https_proxy", f"gopher://user:{MARKER}@127.0.0.1:99999")

    failure = await _failure(http)

    assert failure.kind == "proxy"
    assert "HTTPS_PROXY" in failure.reason
    assert MARKER not in failure.reason


async def test_no_proxy_goes_straight(
    http: Http, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("no_proxy", "localhost")
    port = _closed_port()

    failure = await _failure(http, f"https://localhost:{port}/")

    assert (failure.kind, failure.reason) == ("connect", "localhost cannot be reached: connection refused")
    assert proxy.hosts == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_itself_is_asked_through_no_proxy(
    http: Http, proxy: ConnectProxy, site: Site, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    with WebServer(site) as web:
        await http.send(Request("GET", f"http://{host}:{web.port}/", (("Authorization", "Basic eA=="),)))

    assert proxy.hosts == []
    assert [request.header("authorization") for request in site.asked] == ["Basic eA=="]


async def test_a_host_without_a_name_is_told_so(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")

    failure = await _failure(http, "https://no-such-host.invalid/")

    assert failure.kind == "name"


async def test_a_server_that_speaks_no_tls_is_told_so(
    http: Http, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with WebServer(site) as web:
        failure = await _failure(http, f"https://127.0.0.1:{web.port}/")

    assert failure.kind == "tls"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.usefixtures("proxy")
async def test_an_authority_named_by_a_usual_variable_is_trusted(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} - {variable}:
        monkeypatch.delenv(name)

    async with Http() as http:
        response = await http.send(Request("GET", URL))

    assert response.status == 200


@pytest.mark.usefixtures("proxy")
async def test_without_those_variables_the_test_authority_is_a_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name)

    async with Http() as http:
        failure = await _failure(http)

    assert failure.kind == "tls"


@pytest.mark.usefixtures("proxy")
async def test_a_configured_authority_is_the_only_one() -> None:
    async with Http(ca=shared_authority().bundle) as right, Http(ca=strange_authority().bundle) as wrong:
        response = await right.send(Request("GET", URL))
        failure = await _failure(wrong)

    assert (response.status, failure.kind) == (200, "tls")


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "it does not exist"), ("no certificate", "not certificates"), ("", "not certificates")],
)
async def test_an_authority_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, words: str
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)

    async with Http(ca=bundle) as http:
        failure = await _failure(http)

    assert failure.kind == "tls"
    assert f"{bundle} cannot be read: {words}" in failure.reason


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
async def test_a_pipe_or_a_device_in_place_of_authorities_is_a_message(
    variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv(variable, str(tmp_path / kind))

    async with Http() as http:
        failure = await _failure(http)

    assert "not a regular file" in failure.reason


@pytest.mark.usefixtures("proxy")
async def test_a_configured_authority_that_others_could_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    bundle = shared / "ca.pem"
    bundle.write_bytes(shared_authority().bundle.read_bytes())
    shared.chmod(0o777)

    async with Http(ca=bundle) as http:
        failure = await _failure(http)

    assert f"{shared} can be written by others" in failure.reason


@pytest.mark.usefixtures("proxy")
async def test_comments_in_any_encoding_do_no_harm(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"# F\xc5\x91 \xff\n" + shared_authority().bundle.read_bytes())

    async with Http(ca=bundle) as http:
        assert (await http.send(Request("GET", URL))).status


@pytest.mark.usefixtures("proxy")
async def test_session_keys_are_never_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))

    async with Http() as system, Http(ca=shared_authority().bundle) as own:
        await system.send(Request("GET", URL))
        await own.send(Request("GET", URL))

    assert not keys.exists()


@pytest.mark.parametrize(
    "url", [f"https://user:{MARKER}@{HOST}/", f"https://[{MARKER}", f"https://{HOST}:99999/{MARKER}"]
)
async def test_what_is_no_url_without_a_password_is_not_asked(url: str, http: Http) -> None:
    with pytest.raises(Unreachable, match=r"^no request was sent: the address is not a URL") as raised:
        await http.send(Request("GET", url))

    assert MARKER not in f"{raised.value!r} {raised.value.__context__!r}"


async def test_a_header_beyond_ascii_is_not_sent(http: Http, site: Site) -> None:
    with pytest.raises(Unreachable, match="cannot be asked: the request is not HTTP") as raised:
        await http.send(Request("GET", URL, (("Authorization", f"Bearer {MARKER}€"),)))

    assert MARKER not in str(raised.value)
    assert site.asked == []


async def test_nothing_secret_is_logged_at_any_level(
    http: Http, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.answer = http1.Response(200, MARKER.encode(), (("X-Token", MARKER), ("Set-Cookie", MARKER)))
    request = Request("GET", f"{URL}?key={MARKER}", (("Authorization", f"Bearer {MARKER}"),))
    with contextlib.ExitStack() as levels:
        for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
            levels.enter_context(caplog.at_level(logging.DEBUG, name))

        response = await http.send(request)

    assert response.values("x-token") == (MARKER,)
    assert MARKER not in caplog.text


async def test_what_was_sent_and_got_does_not_print_its_secrets(http: Http, site: Site) -> None:
    site.answer = http1.Response(200, MARKER.encode(), (("X-Token", MARKER),))
    request = Request("POST", URL, (("Authorization", MARKER),), MARKER.encode())

    response = await http.send(request)

    assert MARKER not in f"{request!r} {response!r}"


async def test_an_impossible_header_fails_without_being_quoted(http: Http) -> None:
    with pytest.raises(Unreachable) as caught:
        await http.send(Request("GET", URL, (("Authorization", f"Bearer {MARKER}\n"),)))

    assert caught.value.kind == "broken"
    assert MARKER not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_cancelling_hangs_up(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "")
    arrived, left = asyncio.Event(), asyncio.Event()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sending = asyncio.create_task(http.send(Request("GET", f"http://127.0.0.1:{port}/")))
        await arrived.wait()

        sending.cancel()

        async with asyncio.timeout(60):
            await left.wait()
    with pytest.raises(asyncio.CancelledError):
        await sending


def test_nothing_heavy_is_loaded_before_the_first_request() -> None:
    program = "import sys, broker.host.http; print({'httpx', 'truststore', 'anyio'} & set(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "set()\n"


def test_no_command_line_is_loaded_for_a_request() -> None:
    program = (
        "import ssl, sys, broker.host.http as http; http._make_clients(ssl.create_default_context());"
        "print('httpx' in sys.modules, {'rich', 'pygments'} & set(sys.modules))"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "True set()\n"


def _closed_port() -> int:
    """A port of loopback on which nobody listens any more."""
    with WebServer(Site()) as web:
        return web.port


async def test_more_requests_than_connections_wait_outside_the_pool(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, full, gate = 0, asyncio.Event(), asyncio.Event()

    async def exchange(*_: object) -> Response:
        nonlocal inside
        inside += 1
        if inside == CONNECTIONS_MAX:
            full.set()
        await gate.wait()
        return Response(200, (), b"")

    monkeypatch.setattr("broker.host.http._exchange", exchange)
    sent = [asyncio.create_task(http.send(Request("GET", URL))) for _ in range(3 * CONNECTIONS_MAX)]
    await full.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    at_once = inside
    gate.set()
    await asyncio.gather(*sent)

    assert (at_once, inside) == (CONNECTIONS_MAX, 3 * CONNECTIONS_MAX)


async def test_a_request_looks_for_no_module_that_is_not_there(http: Http) -> None:
    await http.send(Request("GET", URL))

    assert "sniffio" in sys.modules
