from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

DEMO = wheel("Demo.Package", "1.0", requires=("other>=2",))


@pytest.fixture
def packages() -> PackageIndex:
    return PackageIndex([DEMO], passwords=["s3cret"])


@pytest.fixture
def http(packages: PackageIndex) -> Iterator[httpx.Client]:
    with WebServer(packages) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def test_the_same_wheel_has_the_same_bytes() -> None:
    assert wheel("a", "1") == wheel("a", "1")
    assert wheel("a", "1").sha256 != wheel("a", "2").sha256


def test_a_wheel_is_whole() -> None:
    with zipfile.ZipFile(io.BytesIO(DEMO.content)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None

    assert DEMO.filename == "demo_package-1.0-py3-none-any.whl"
    assert names[-1] == "demo_package-1.0.dist-info/RECORD"


@pytest.mark.parametrize("auth", [None, ("x", "wrong"), ("x", "")])
def test_without_the_password_everything_is_refused(
    packages: PackageIndex, http: httpx.Client, auth: tuple[str, str] | None
) -> None:
    answer = http.get("/simple/demo-package/", auth=auth)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="packages"')
    assert packages.counts == {("/simple/demo-package/", False): 1}


def test_a_password_counts_from_when_it_is_valid(packages: PackageIndex, http: httpx.Client) -> None:
    packages.passwords = {"fresh"}

    assert http.get("/simple/", auth=("x", "s3cret")).status_code == 401
    assert http.get("/simple/", auth=("x", "fresh")).status_code == 200


def test_a_username_can_be_demanded(packages: PackageIndex, http: httpx.Client) -> None:
    packages.username = "ci"

    assert http.get("/simple/", auth=("x", "s3cret")).status_code == 401
    assert http.get("/simple/", auth=("ci", "s3cret")).status_code == 200


def test_pages_come_as_html_or_as_json(http: httpx.Client) -> None:
    auth = ("x", "s3cret")
    as_json = {"Accept": "application/vnd.pypi.simple.v1+json"}

    assert f"#sha256={DEMO.sha256}" in http.get("/simple/demo-package/", auth=auth).text
    files = http.get("/simple/demo-package/", auth=auth, headers=as_json).json()["files"]
    assert http.get(files[0]["url"], auth=auth).content == DEMO.content
    assert http.get("/simple/", auth=auth, headers=as_json).json()["projects"] == [{"name": "demo-package"}]


def test_what_is_not_there_is_a_404(http: httpx.Client) -> None:
    for path in ("/simple/none/", "/elsewhere/", "/simple/-/files/none.whl"):
        assert http.get(path, auth=("x", "s3cret")).status_code == 404
