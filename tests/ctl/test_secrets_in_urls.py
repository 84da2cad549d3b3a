"""A secret typed into an address is on no screen, in no hint and in no message, wherever it stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.failures import BadRequest
from broker.core.urls import may_be_token, printable
from broker.ctl.clients.client_index import Index, Place
from tests.ctl.clinic import Clinic
from tests.ctl.stand_in import StandInBroker, problem
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

SECRET = "hunter2sesame"
HOST = "art.example.com"
PATH = "/artifactory/api/pypi/internal/simple/"

ADDRESSES = {
    "password": f"https://me:{SECRET}@{HOST}{PATH}",
    "password alone": f"https://:{SECRET}@{HOST}{PATH}",
    "token as the user": f"https://{SECRET}@{HOST}{PATH}",
    "token as the user, an empty password": f"https://{SECRET}:@{HOST}{PATH}",
    "password with an at sign": f"https://me:a@{SECRET}@{HOST}{PATH}",
    "password with a slash": f"https://me:a/{SECRET}@{HOST}{PATH}",
    "password with a question mark": f"https://me:a?{SECRET}@{HOST}{PATH}",
    "password with a hash": f"https://me:{SECRET}#a@{HOST}{PATH}",
    "user with a slash": f"https://a/{SECRET}@{HOST}{PATH}",
    "both have at signs and slashes": f"https://me@a/{SECRET}@{HOST}{PATH}",
    "encoded": f"https://me:%2F{SECRET}@{HOST}{PATH}",
    "sig": f"https://{HOST}{PATH}?sv=1&sig={SECRET}",
    "token": f"https://{HOST}{PATH}?token={SECRET}",
    "query without a path": f"https://{HOST}?token={SECRET}",
    "fragment": f"https://{HOST}{PATH}#{SECRET}",
    "no scheme": f"me:{SECRET}@{HOST}{PATH}",
    "another scheme": f"ftp://me:{SECRET}@{HOST}{PATH}",
    "plain http": f"http://me:{SECRET}@{HOST}{PATH}",
    "blank in it": f"https://me:{SECRET}@{HOST} /simple/",
    "not ASCII": f"https://m\u00e9:{SECRET}@{HOST}{PATH}",
    "port that is none": f"https://me:{SECRET}@{HOST}:x{PATH}",
    "no host": f"https://me:{SECRET}@/simple/",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_printable_address_has_no_secret(address: str) -> None:
    assert SECRET not in (printable(address) or "")


@pytest.mark.parametrize("feed", ["corp@v1.0", "corp@1.0", "corp@Local", "corp@2026.11.3"])
def test_an_at_sign_in_a_path_is_no_end_of_a_login(feed: str) -> None:
    url = f"https://pkgs.dev.azure.com/acme/_packaging/{feed}/pypi/simple/"

    assert Index("uv", Place("UV_INDEX"), url).bare == url


@pytest.mark.parametrize("host", [HOST, f"{HOST}:8443", "10.1.2.3", "10.1.2.3:80", "a.example"])
def test_a_login_with_a_slash_has_no_clear_end(host: str) -> None:
    with pytest.raises(BadRequest):
        _ = Index("uv", Place("UV_INDEX"), f"https://john.doe/{SECRET}@{host}{PATH}").bare


def test_printable_address_is_the_one_that_was_typed() -> None:
    assert printable(f"https://me:pw@{HOST}:8443{PATH}x.whl?a=b#c") == f"https://{HOST}:8443{PATH}x.whl"
    assert printable(HOST) == HOST
    assert printable(f"{HOST}/a") == f"{HOST}/a"


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("kind", few(["404 no-feed", "400 bad-request", "503 unavailable"], 1))
@pytest.mark.parametrize("more", [(), ("--username", "bob")])
def test_get_prints_no_secret_of_an_address(
    broker: StandInBroker, brokerctl: Brokerctl, address: str, kind: str, more: tuple[str, ...]
) -> None:
    broker.answers["GET /v1/credential"] = problem(int(kind[:3]), kind[4:], "it failed")
    broker.answers["GET /v1/match"] = 200, {"feed": "corp"}

    ended = brokerctl("get", address, *more)

    assert ended.exit_code == 1
    assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_explain_prints_no_secret_of_an_address(
    broker: StandInBroker, brokerctl: Brokerctl, address: str
) -> None:
    broker.answers["POST /v1/explain"] = 200, iter([b'{"step": "failed", "text": "x", "good": false}\n'])

    ended = brokerctl("explain", address)

    assert ended.stdout
    assert SECRET not in ended.stdout + ended.stderr


TOKEN = "pypi-AgEIcHlwaS5vcmc2aunter"


@pytest.mark.parametrize("address", [*ADDRESSES.values(), f"https://{TOKEN}@{HOST}{PATH}"])
@pytest.mark.parametrize("more", [(), ("--provider", "basic", "--secret", "netrc")])
def test_add_prints_no_secret_of_an_address(
    brokerctl: Brokerctl, address: str, more: tuple[str, ...]
) -> None:
    ended = brokerctl("add", address, *more)

    assert TOKEN not in ended.stdout + ended.stderr
    if not address.startswith(f"https://{SECRET}"):  # there it is a user as any other, and stored as one
        assert SECRET not in ended.stdout + ended.stderr


CLIENTS = {
    "uv.toml": '[[index]]\nname = "x"\nurl = "{}"\n',
    "pyproject.toml": '[[tool.poetry.source]]\nname = "x"\nurl = "{}"\n',
    "requirements.txt": "--index-url {}\n",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("file", few(CLIENTS, 1))
def test_doctor_prints_no_secret_of_an_address(clinic: Clinic, file: str, address: str) -> None:
    from broker.ctl.doctor.checks import findings  # noqa: PLC0415 - loads every check

    clinic.configure(
        f'[[feed]]\nname = "a"\nurl = "https://{HOST}{PATH}"\nprovider = "artifactory"\nsecret = "netrc"\n'
    )
    clinic.write(file, CLIENTS[file].format(address))
    clinic.write("~/.local/share/uv/credentials/credentials.toml", f'[[credential]]\nservice = "{address}"\n')

    said = "\n".join(f"{each.said} {each.repair}" for each in findings(clinic.room()))

    assert SECRET not in said


@pytest.mark.parametrize(
    ("username", "is_one"),
    [
        ("VssSessionToken", False),
        ("oauth2accesstoken", False),
        ("gitlab-ci-token", False),
        ("firstname.lastname99@a.long.example", False),
        (TOKEN, True),
        ("glpat-abcdefgh", True),
        ("0123456789abcdef0123456789abcdef", True),
    ],
)
def test_username_that_may_be_a_token(username: str, *, is_one: bool) -> None:
    assert may_be_token(username) is is_one
