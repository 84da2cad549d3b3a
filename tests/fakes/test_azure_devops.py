from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakes import faults, tokens
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.organisation import NO_TENANT, READ, WRITE, Exchange, Organisation
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    import httpx

    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.http1 import Answer

pytestmark = pytest.mark.long

TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
USER = "dev@acme.example"
FEED = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
EXCHANGE = "https://vssps.dev.azure.com/acme/_apis/Token/SessionTokens"
VERSION = {"api-version": "5.0-preview.1"}
SUPPRESS = {"X-TFS-FedAuthRedirect": "Suppress"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(proxy: ConnectProxy, clock: Clock) -> AzureDevOps:
    cloud = AzureDevOps(clock)
    cloud.attach(proxy)
    return cloud


@pytest.fixture
def acme(cloud: AzureDevOps) -> Organisation:
    return cloud.organisation("acme", tenant=TENANT, feeds={"corp": [wheel("demo")], "web/site": []})


def exchange(http: httpx.Client, bearer: str, **body: str) -> httpx.Response:
    return http.post(
        EXCHANGE,
        params={"tokenType": "SelfDescribing", **VERSION},
        headers={"Authorization": f"Bearer {bearer}", **SUPPRESS},
        json={"scope": READ, "displayName": "tests", **body},
    )


def test_an_anonymous_request_gets_the_documented_challenge(acme: Organisation, http: httpx.Client) -> None:
    answer = http.get(FEED)

    assert answer.status_code == 401
    assert answer.headers.get_list("WWW-Authenticate") == [
        f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}",
        'Basic realm="https://pkgs.dev.azure.com/"',
        "TFS-Federated",
    ]
    assert answer.headers["X-VSS-ResourceTenant"] == TENANT
    assert answer.headers["X-VSS-AuthorizationEndpoint"] == "https://vssps.dev.azure.com/acme/"
    assert answer.headers["X-VSS-E2EID"]
    assert [visit.credential for visit in acme.visits] == ["none"]


def test_an_organisation_without_directory_names_no_tenant(cloud: AzureDevOps, http: httpx.Client) -> None:
    cloud.organisation("acme", tenant=NO_TENANT, feeds={"corp": []})

    answer = http.get(FEED)

    assert answer.headers.get_list("WWW-Authenticate")[0] == "Bearer"
    assert answer.headers["X-VSS-ResourceTenant"] == NO_TENANT


def test_a_challenge_can_be_replaced(acme: Organisation, http: httpx.Client) -> None:
    acme.challenge = (("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/x"),)

    answer = http.get(FEED)

    assert answer.headers.get_list("WWW-Authenticate") == ["Bearer authorization_uri=https://evil.example/x"]


@pytest.mark.parametrize("username", ["VssSessionToken", "", "anything"])
def test_any_username_goes_with_a_good_token(acme: Organisation, http: httpx.Client, username: str) -> None:
    token = acme.issue(USER).value

    assert http.get(FEED, auth=(username, token)).status_code == 200


def test_an_entra_token_is_a_password_and_a_bearer(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client
) -> None:
    bearer = cloud.bearer(USER, TENANT)

    as_password = http.get(FEED, auth=("x", bearer))
    as_bearer = http.get(FEED, headers={"Authorization": f"Bearer {bearer}"})

    assert [as_password.status_code, as_bearer.status_code] == [200, 200]
    assert {visit.user for visit in acme.visits} == {USER}


def test_a_token_of_another_tenant_is_refused(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client
) -> None:
    stranger = cloud.bearer(USER, OTHER_TENANT)

    assert http.get(FEED, auth=("x", stranger)).status_code == 401
    assert exchange(http, stranger).status_code == 401
    assert [visit.credential for visit in acme.visits] == ["refused"]


def test_a_token_of_another_organisation_is_refused(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client
) -> None:
    other = cloud.organisation("other", tenant=TENANT, feeds={})

    assert http.get(FEED, auth=("x", other.issue(USER).value)).status_code == 401
    assert len(acme.visits) == 1


def test_an_expired_token_is_refused(acme: Organisation, http: httpx.Client, clock: Clock) -> None:
    token = acme.issue(USER, lifetime_s=60).value

    clock.now += 59
    assert http.get(FEED, auth=("x", token)).status_code == 200
    clock.now += 1
    assert http.get(FEED, auth=("x", token)).status_code == 401


def test_a_revoked_token_is_refused(acme: Organisation, cloud: AzureDevOps, http: httpx.Client) -> None:
    session, bearer = acme.issue(USER).value, cloud.bearer(USER, TENANT)
    http.get(FEED, auth=("x", bearer))

    acme.revoke_all()

    assert http.get(FEED, auth=("x", session)).status_code == 401
    assert http.get(FEED, auth=("x", bearer)).status_code == 401


def test_a_user_without_the_right_is_forbidden(acme: Organisation, http: httpx.Client) -> None:
    acme.readers = {"somebody@acme.example"}

    assert http.get(FEED, auth=("x", acme.issue(USER).value)).status_code == 403


def test_a_scope_without_packaging_is_forbidden(acme: Organisation, http: httpx.Client) -> None:
    token = acme.issue(USER, scopes=["vso.code"]).value

    assert http.get(FEED, auth=("x", token)).status_code == 403


def test_a_public_feed_asks_for_nothing(acme: Organisation, http: httpx.Client) -> None:
    acme.feed("corp").public = True

    assert http.get(FEED).status_code == 200


@pytest.mark.parametrize(
    "place",
    [
        "pkgs.dev.azure.com/ACME/_packaging/Corp/pypi/simple/demo/",
        "pkgs.dev.azure.com/acme/_packaging/corp@Local/pypi/simple/demo/",
        "acme.pkgs.visualstudio.com/_packaging/corp/pypi/simple/demo",
    ],
)
def test_one_feed_has_many_addresses(acme: Organisation, http: httpx.Client, place: str) -> None:
    answer = http.get(f"https://{place}", auth=("x", acme.issue(USER).value))

    host = place.partition("/")[0]
    assert f'href="https://{host}' in answer.text


@pytest.mark.parametrize(
    "place",
    [
        "pkgs.dev.azure.com/acme/_packaging/none/pypi/simple/",
        "pkgs.dev.azure.com/acme/web/_packaging/corp/pypi/simple/",
        "pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/none/",
        "pkgs.dev.azure.com/acme/",
    ],
)
def test_what_does_not_exist_is_a_404_to_those_who_may_know(
    acme: Organisation, http: httpx.Client, place: str
) -> None:
    assert http.get(f"https://{place}").status_code == 401
    assert http.get(f"https://{place}", auth=("x", acme.issue(USER).value)).status_code == 404


def test_an_unknown_organisation_is_a_404_to_everybody(cloud: AzureDevOps, http: httpx.Client) -> None:
    assert cloud is not None
    assert http.get(FEED).status_code == 404


def test_a_bearer_is_exchanged_for_a_session_token(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client, clock: Clock
) -> None:
    answer = exchange(http, cloud.bearer(USER, TENANT)).json()

    claims = tokens.read_claims(answer["token"])
    assert claims is not None
    assert claims["exp"] == clock.now + 4 * 3600
    assert answer["validTo"] == "2027-01-15T12:00:00Z"
    assert http.get(FEED, auth=("x", answer["token"])).status_code == 200
    assert acme.exchanges.entries == (Exchange(USER, READ, "tests", None, "SelfDescribing", 200),)


def test_valid_to_is_honoured_up_to_the_cap(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client
) -> None:
    acme.longest_lifetime_s = 7200
    bearer = cloud.bearer(USER, TENANT)

    assert exchange(http, bearer, validTo="2027-01-15T09:00:00Z").json()["validTo"] == "2027-01-15T09:00:00Z"
    assert exchange(http, bearer, validTo="2027-02-15T08:00:00Z").json()["validTo"] == "2027-01-15T10:00:00Z"


def test_valid_to_can_be_refused(acme: Organisation, cloud: AzureDevOps, http: httpx.Client) -> None:
    acme.refuses_valid_to = True
    bearer = cloud.bearer(USER, TENANT)

    assert exchange(http, bearer, validTo="2027-01-15T09:00:00Z").status_code == 400
    assert exchange(http, bearer).status_code == 200


def test_expiry_can_be_past_or_untold(acme: Organisation, cloud: AzureDevOps, http: httpx.Client) -> None:
    acme.lifetime_s = -60
    acme.tells_valid_to = acme.tells_exp = False

    answer = exchange(http, cloud.bearer(USER, TENANT)).json()

    assert "validTo" not in answer
    assert "exp" not in (tokens.read_claims(answer["token"]) or {})
    assert http.get(FEED, auth=("x", answer["token"])).status_code == 401


def test_a_session_token_cannot_be_exchanged_again(acme: Organisation, http: httpx.Client) -> None:
    assert exchange(http, acme.issue(USER).value).status_code == 401


def test_the_exchange_sends_browsers_to_sign_in(acme: Organisation, http: httpx.Client) -> None:
    answer = http.post(EXCHANGE, params=VERSION, json={"scope": READ})

    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (
        302,
        f"https://{acme.name}.visualstudio.com/_signin",
    )


def test_the_old_authority_host_exchanges_too(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client
) -> None:
    answer = http.post(
        "https://acme.vssps.visualstudio.com/_apis/Token/SessionTokens",
        params=VERSION,
        headers={"Authorization": f"Bearer {cloud.bearer(USER, TENANT)}"},
        json={"scope": f"{READ} {WRITE}"},
    )

    assert answer.status_code == 200
    assert acme.issued.entries[0].identity.may_write()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.never_signed_in(), 401),
        (faults.forbidden(), 403),
        (faults.not_found(), 404),
        (faults.throttled(3), 429),
        (faults.broken(503), 503),
        (faults.html_garbage(), 200),
        (faults.html_garbage(203), 203),
        (faults.redirect("https://evil.example/"), 302),
    ],
)
def test_every_endpoint_can_fail_and_heal(
    acme: Organisation, cloud: AzureDevOps, http: httpx.Client, fault: Answer, status: int
) -> None:
    for stage in (acme.exchange_faults, acme.challenge_faults, acme.feed_faults):
        stage.give(fault, times=1)
    bearer = cloud.bearer(USER, TENANT)

    def ask() -> list[int]:
        answers = (exchange(http, bearer), http.get(FEED), http.get(FEED, auth=("x", bearer)))
        return [answer.status_code for answer in answers]

    assert ask() == [status] * 3
    assert ask() == [200, 401, 200]


def test_a_held_exchange_ends_true(acme: Organisation, cloud: AzureDevOps, http: httpx.Client) -> None:
    release = threading.Event()
    acme.exchange_faults.hold(release)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(exchange, http, cloud.bearer(USER, TENANT))
        acme.exchanges.wait_for(1)
        release.set()

        assert answer.result(5).status_code == 200
