"""The real uv, pip and httpx against the fakes: they take the proxy, the certificates, the challenges
and the GUID links for a cloud's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fakes.index import Layout, PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.organisation import READ, WRITE, Organisation
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.clients import Clients
    from tests.fakes.connect_proxy import ConnectProxy

pytestmark = [pytest.mark.long, pytest.mark.e2e]

TENANT = "11111111-2222-3333-4444-555555555555"
DEMO = wheel("demo-package", "1.0", requires=("demo-dependency",))
DEPENDENCY = wheel("demo-dependency", "2.0")
HOSTS = {
    "pkgs.dev.azure.com": "pkgs.dev.azure.com/acme/_packaging/corp/pypi",
    "acme.pkgs.visualstudio.com": "acme.pkgs.visualstudio.com/_packaging/corp/pypi",
    "pkgs.dev.azure.com with a project": "pkgs.dev.azure.com/acme/web/_packaging/site/pypi",
}


@pytest.fixture
def acme(cloud: AzureDevOps) -> Organisation:
    feeds = {"corp": [DEMO, DEPENDENCY], "web/site": [DEMO, DEPENDENCY]}
    return cloud.organisation("acme", tenant=TENANT, feeds=feeds)


def index(place: str, token: str) -> str:
    return f"https://x:{token}@{place}/simple/"


@pytest.mark.parametrize("place", HOSTS.values(), ids=HOSTS.keys())
def test_uv_installs_over_guid_links(
    acme: Organisation, clients: Clients, tmp_path: Path, place: str
) -> None:
    token = acme.issue("dev@acme.example").value

    done = clients.uv(
        "pip", "install", "--target", tmp_path / "in", "--index-url", index(place, token), "demo-package"
    )

    assert done.exit_code == 0, done.text
    assert {"demo_package.py", "demo_dependency.py"} <= {file.name for file in (tmp_path / "in").iterdir()}
    files = {visit.path for visit in acme.visits if "/download/" in visit.path}
    assert len(files) == 2
    assert not any("/corp/" in file or "/site/" in file for file in files)


@pytest.mark.parametrize("place", HOSTS.values(), ids=HOSTS.keys())
def test_pip_installs_over_guid_links(
    acme: Organisation, clients: Clients, tmp_path: Path, place: str
) -> None:
    token = acme.issue("dev@acme.example").value

    done = clients.pip(
        "install", "--target", tmp_path / "in", "--index-url", index(place, token), "demo-package"
    )

    assert done.exit_code == 0, done.text
    assert {"demo_package.py", "demo_dependency.py"} <= {file.name for file in (tmp_path / "in").iterdir()}


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_downloads_from_blob_storage_carry_no_credential(
    acme: Organisation, clients: Clients, proxy: ConnectProxy, tmp_path: Path, client: str
) -> None:
    acme.blobs = True
    url = index(HOSTS["pkgs.dev.azure.com"], acme.issue("dev@acme.example").value)
    run = clients.pip if client == "pip" else clients.uv

    done = run(
        *(("pip",) if client == "uv" else ()),
        *("install", "--target", tmp_path / "in", "--index-url", url, "demo-package"),
    )

    assert done.exit_code == 0, done.text
    assert proxy.hosts == ["fakes.blob.core.windows.net", "pkgs.dev.azure.com"]


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_an_expired_token_fails_the_install(
    acme: Organisation, clients: Clients, tmp_path: Path, client: str
) -> None:
    token = acme.issue("dev@acme.example", lifetime_s=-1).value
    url = index(HOSTS["pkgs.dev.azure.com"], token)
    run = clients.pip if client == "pip" else clients.uv

    done = run(
        *(("pip",) if client == "uv" else ()),
        *("install", "--target", tmp_path / "in", "--index-url", url, "demo-package"),
    )

    assert done.exit_code != 0
    assert "401" in done.text or "No matching distribution" in done.text


@pytest.mark.parametrize(("scope", "succeeds"), [(WRITE, True), (READ, False)])
def test_uv_publishes_with_write_scope_only(
    acme: Organisation, clients: Clients, tmp_path: Path, scope: str, *, succeeds: bool
) -> None:
    token = acme.issue("dev@acme.example", scopes=[scope]).value
    made = wheel("fresh-package", "3.0")
    file = tmp_path / made.filename
    file.write_bytes(made.content)

    done = clients.uv(
        *("publish", "--publish-url", f"https://{HOSTS['pkgs.dev.azure.com']}/upload/"),
        *("--username", "x", "--password", token, file),
    )

    assert (done.exit_code == 0) is succeeds, done.text
    assert (made in acme.feed("corp").wheels) is succeeds


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("client", ["uv", "pip"])
def test_the_plain_index_serves_both_clients(
    clients: Clients, proxy: ConnectProxy, tmp_path: Path, client: str, layout: Layout
) -> None:
    packages = PackageIndex([DEMO, DEPENDENCY], passwords=["s3cret"], layout=layout)
    proxy.route("packages.example", packages)
    url = "https://ci:s3cret@packages.example/simple/"
    run = clients.pip if client == "pip" else clients.uv

    done = run(
        *(("pip",) if client == "uv" else ()),
        *("install", "--target", tmp_path / "in", "--index-url", url, "demo-package"),
    )

    assert done.exit_code == 0, done.text
    assert packages.counts["/simple/demo-package/", True] >= 1


def test_uv_reads_the_plain_index_on_loopback(clients: Clients, tmp_path: Path) -> None:
    packages = PackageIndex([DEPENDENCY], passwords=["s3cret"])

    with WebServer(packages) as server:
        url = f"{server.url}/simple/".replace("//", "//ci:s3cret@", 1)
        done = clients.uv(
            "pip", "install", "--target", tmp_path / "in", "--index-url", url, "demo-dependency"
        )

    assert done.exit_code == 0, done.text


def test_httpx_takes_proxy_and_certificates_from_the_environment(
    acme: Organisation, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in proxy.environment({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    answer = httpx.get(f"https://{HOSTS['pkgs.dev.azure.com']}/simple/")

    assert answer.status_code == 401
    assert answer.headers["X-VSS-ResourceTenant"] == acme.tenant
    assert proxy.hosts == ["pkgs.dev.azure.com"]
