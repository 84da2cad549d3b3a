"""`brokerctl exec --gateway` as a user types it: options, exit codes, and what the command is given."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from broker.ctl.command_error import CommandError
from broker.ctl.exec import ca_bundles
from broker.ctl.exec.ca_bundles import VARIABLES, Bundles
from broker.ctl.exec.gateway_process import GatewayProcess, GatewayReport
from broker.ctl.exec.gateway_run import (
    EXEMPTIONS,
    PROXY_VARIABLES,
    GatewayWish,
    _instructions,
    command_environment,
    run_with_gateway,
)
from broker.ctl.exec.verb import STRICT, with_strict_as_option
from broker.host.held_file import write_all
from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed
from tests.ctl.test_exec import configure, left_behind, run
from tests.fakes.authority import shared_authority
from tests.sampling import few
from tests.typed_line import type_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from broker.gateway.instructions import Instructions

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nb3du\n-----END CERTIFICATE-----"
OTHER = CERTIFICATE.replace("b3du", "b3RoZXI=")
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *PROXY_VARIABLES, *EXEMPTIONS, "ALL_PROXY", "all_proxy", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(shared_authority().bundle))


def written_bundles(folder: Path, environ: Mapping[str, str], own: str) -> dict[str, str]:
    """The variables that name the files, which the gateway has completed."""
    with Bundles(folder, environ) as bundles:
        for descriptor in bundles.descriptors:
            write_all(descriptor, own.encode())
        return bundles.variables


def test_command_is_given_the_proxy_and_the_authorities_and_no_keyring(room: Path) -> None:
    ended = run("--gateway", "--", "sh", "-c", 'env; cat "$SSL_CERT_FILE"; ls -l "$SSL_CERT_FILE"; exit 7')

    environment = dict(line.partition("=")[::2] for line in ended.stdout.splitlines() if "=" in line)
    address = environment["HTTPS_PROXY"]
    assert ended.exit_code == 7
    assert address.startswith("http://gateway:")
    assert len(address.partition("@")[0].rpartition(":")[2]) == 64  # 256 bits in hexadecimal
    assert {environment[name] for name in PROXY_VARIABLES} == {address}
    assert {environment[name] for name in EXEMPTIONS} == {"localhost,127.0.0.1,::1"}
    assert set(VARIABLES) <= environment.keys()
    assert not {"TOKEN_BROKER_SOCKET", "UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER"} & environment.keys()
    assert "PRIVATE KEY" not in ended.stdout
    assert "-rw-------" in ended.stdout
    assert left_behind(room) == []


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    few(
        [
            (("--gateway",), 125, "exec needs a command"),
            (("--gateway", "--", "no-such-command"), 127, "no such command"),
            (("--gateway", "--", "/etc/hosts"), 126, "cannot be run"),
            (("--gateway", "--allow", "x.example", "true"), 125, "--allow goes with --gateway=strict"),
            (("--gateway=strict", "--allow", "https://x.example/", "true"), 125, "this is no host"),
            (("--gateway", "--github-env"), 125, "the gateway serves one command only"),
        ],
        3,
    ),
)
def test_what_cannot_be_is_said(room: Path, words: tuple[str, ...], exit_code: int, said: str) -> None:
    ended = run(*words)

    assert ended.exit_code == exit_code
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert left_behind(room) == []


def test_broken_configuration_is_our_failure_and_says_where(room: Path) -> None:
    configure(room, "tll = 1\n")

    ended = run("--gateway", "true")

    assert ended.exit_code == 125
    assert "config.toml, line 1" in ended.stderr
    assert left_behind(room) == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    few(
        [
            ("HTTPS_PROXY", "socks5://127.0.0.1:1080", "HTTPS_PROXY names a proxy of kind socks5"),
            ("PIP_CERT", "/no/such/file.pem", "PIP_CERT=/no/such/file.pem cannot be read"),
            (
                "REQUESTS_CA_BUNDLE",
                "/etc/hosts",
                "REQUESTS_CA_BUNDLE=/etc/hosts cannot be read: not certificates",
            ),
        ],
        1,
    ),
)
def test_gateway_that_cannot_start_is_a_line_and_125(
    room: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)

    ended = run("--gateway", "true")

    assert ended.exit_code == 125
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert left_behind(room) == []


class LateGateway(GatewayProcess):
    """Has its authority only when the command says that it has begun, by the FIFO."""

    def __init__(self, fifo: Path) -> None:
        super().__init__()
        self._fifo = fifo

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._completing.join()

    def instruct(self, _: Instructions, __: socket.socket, bundles: Sequence[int]) -> None:
        kept = [os.dup(each) for each in bundles]
        self._completing = threading.Thread(target=self._complete, args=(kept,))
        self._completing.start()

    def _complete(self, bundles: list[int]) -> None:
        self._fifo.read_bytes()
        for bundle in bundles:
            write_all(bundle, b"the gateway's own\n")
            os.close(bundle)

    def wait_for_authority(self) -> None:
        raise AssertionError("the command was to begin")

    def report(self) -> GatewayReport:
        return GatewayReport(is_complete=True)


@pytest.mark.skipif(sys.platform != "linux", reason="readers cannot be made to wait here")
def test_command_begins_before_the_authority_and_who_reads_it_waits(room: Path, tmp_path: Path) -> None:
    fifo, read = tmp_path / "begun", tmp_path / "read"
    os.mkfifo(fifo)
    script = f'echo begun > {fifo}; tail -n 1 "$SSL_CERT_FILE" "$NODE_EXTRA_CA_CERTS" > {read}'

    with LateGateway(fifo) as gateway:
        code = run_with_gateway(["sh", "-c", script], GatewayWish(), gateway)

    assert code == 0
    assert read.read_text().count("the gateway's own") == 2
    assert left_behind(room) == []


def test_command_waits_for_the_authority_where_readers_cannot_be_made_to(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.host.held_file._hold", lambda _: False)
    waited: list[GatewayProcess] = []
    real = GatewayProcess.wait_for_authority

    def wait(gateway: GatewayProcess) -> None:
        real(gateway)
        waited.append(gateway)

    monkeypatch.setattr(GatewayProcess, "wait_for_authority", wait)
    with GatewayProcess() as gateway:
        code = run_with_gateway(["sh", "-c", 'grep -q BEGIN "$NODE_EXTRA_CA_CERTS"'], GatewayWish(), gateway)

    assert (code, waited) == (0, [gateway])
    assert left_behind(room) == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_gateway_that_cannot_go_on_is_a_line_and_125_after_the_command(room: Path, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text(CERTIFICATE)
    configure(room, f"ca = '{broken}'\n")

    ended = run("--gateway", "sh", "-c", "curl -s https://x.invalid/; echo went on")

    assert ended.stdout == "went on\n"
    assert ended.exit_code == 125
    assert f"the trusted authorities in {broken} cannot be read: not certificates" in ended.stderr
    assert left_behind(room) == []


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("exec --gateway=strict -- x", f"exec {STRICT} -- x"),
        ("exec --allow a --gateway=strict x", f"exec --allow a {STRICT} x"),
        ("exec --gateway=strict --allow a x --gateway=strict", f"exec {STRICT} --allow a x --gateway=strict"),
        ("exec -- x --gateway=strict", "exec -- x --gateway=strict"),
        ("exec x --gateway=strict", "exec x --gateway=strict"),
        ("get --gateway=strict", "get --gateway=strict"),
    ],
)
def test_strict_is_read_among_our_own_options_alone(typed: str, read: str) -> None:
    assert with_strict_as_option(typed.split()) == read.split()


def test_own_bundle_of_a_variable_stays_and_is_added_to(tmp_path: Path) -> None:
    system, pip = tmp_path / "system.pem", tmp_path / "pip.pem"
    system.write_text(f"{CERTIFICATE}\n{KEY}\n")
    pip.write_text(f"# a comment\n{OTHER}\n{KEY}\n")

    written = written_bundles(
        tmp_path, {"SSL_CERT_FILE": str(system), "PIP_CERT": str(pip)}, shared_authority().bundle.read_text()
    )

    contents = {name: Path(path).read_text() for name, path in written.items()}
    assert set(written) == set(VARIABLES)
    assert all("PRIVATE" not in text for text in contents.values())
    assert OTHER in contents["PIP_CERT"]
    assert CERTIFICATE not in contents["PIP_CERT"]
    assert CERTIFICATE in contents["SSL_CERT_FILE"]
    assert OTHER not in contents["SSL_CERT_FILE"]
    assert CERTIFICATE in contents["CURL_CA_BUNDLE"]
    assert contents["NODE_EXTRA_CA_CERTS"].count("BEGIN") == 1
    assert all(Path(path).stat().st_mode & 0o777 == 0o600 for path in written.values())


def test_folder_of_authorities_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    for name, text in (("a.pem", CERTIFICATE), ("b.0", OTHER)):
        (folder / name).write_text(text)

    written = written_bundles(tmp_path, {**os.environ, "REQUESTS_CA_BUNDLE": str(folder)}, "own")

    text = Path(written["REQUESTS_CA_BUNDLE"]).read_text()
    assert CERTIFICATE in text
    assert OTHER in text


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="AWS_CA_BUNDLE=/no/such/file cannot be read"):
        written_bundles(tmp_path, {**os.environ, "AWS_CA_BUNDLE": "/no/such/file"}, "own")


def test_a_system_without_authorities_is_told_what_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_bundles, "_system_bundle", list)

    with pytest.raises(CommandError, match="certificate authorities were not found") as raised:
        written_bundles(tmp_path, {}, "own")

    told = type_line(raised.value.hint, then='printf %s "$SSL_CERT_FILE"').stdout
    written = written_bundles(tmp_path, {"SSL_CERT_FILE": told}, "own")
    assert Path(written["CURL_CA_BUNDLE"]).read_text().count("BEGIN") > 50


def test_hosts_go_by_what_a_running_broker_has_in_force(room: Path) -> None:
    configure(room, "auto = false\n")
    told = seen(feed("corp"), auto=["google"], ca="/ca.pem")
    silent = {key: value for key, value in told.items() if key not in {"auto", "ca"}}

    by_broker, by_files = (_instructions(GatewayWish(), each, "/private") for each in (told, silent))

    assert (by_broker.domains, by_broker.ca) == (frozenset({"pkg.dev"}), Path("/ca.pem"))
    assert (by_files.domains, by_files.ca) == (frozenset(), None)  # one of an earlier version
    assert {each.feeds for each in (by_broker, by_files)} == {frozenset({("pkgs.dev.azure.com", 443)})}


def test_strict_environment_has_no_other_way_out() -> None:
    environ = {"ALL_PROXY": "http://proxy:1", "all_proxy": "http://proxy:1", "KEPT": "yes"}

    loose = command_environment(environ, "http://gateway", is_strict=False)
    strict = command_environment(environ, "http://gateway", is_strict=True)

    assert {"ALL_PROXY", "all_proxy"} <= loose.keys()
    assert not {"ALL_PROXY", "all_proxy"} & strict.keys()
    assert strict["KEPT"] == "yes"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_gateway_answers_its_own_command_alone(room: Path) -> None:
    script = (
        'curl -s -o /dev/null -w "%{http_connect}\\n" https://x.invalid/;'
        'curl -s -o /dev/null -w "%{http_connect}\\n" -x "${HTTPS_PROXY##*@}" https://x.invalid/;'
        'echo "${HTTPS_PROXY##*:}"'
    )

    ended = run("--gateway=strict", "sh", "-c", script)

    refused, without, port = ended.stdout.split()
    assert (refused, without) == ("403", "407")
    assert subprocess.run(["curl", "-s", f"127.0.0.1:{port}"], check=False).returncode == 7  # nothing listens
    assert left_behind(room) == []


def test_bundle_is_one_that_openssl_reads(tmp_path: Path) -> None:
    written = written_bundles(tmp_path, os.environ, shared_authority().bundle.read_text())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=written["SSL_CERT_FILE"])
    assert context.cert_store_stats()["x509_ca"] >= 1
