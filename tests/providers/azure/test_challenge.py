import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.failures import NotObtained, Refused, Unavailable
from broker.core.urls import parse_url
from broker.host.http import Response
from broker.providers.azure.challenge import (
    ORGANISATIONS,
    Challenge,
    PublicFeed,
    challenge_request,
    is_guid,
    read_challenge,
)
from broker.providers.azure.organisation import Organisation, organisation_of
from broker.providers.recognise.azure_addresses import INTERNAL, PRODUCTION
from broker.providers.recognise.services import realm_of

TENANT = "11111111-aaaa-bbbb-cccc-555555555555"
OTHER = "99999999-aaaa-bbbb-cccc-555555555555"
NOBODY = "00000000-0000-0000-0000-000000000000"
FEED = parse_url("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/")
ACME = Organisation("acme", PRODUCTION)

LOGIN = f"https://login.microsoftonline.com/{TENANT}"
AUTHORITY = "https://vssps.dev.azure.com/acme/"

Headers = tuple[tuple[str, str], ...]


def answer(
    *authenticate: str,
    tenant: str | tuple[str, ...] = (),
    authority: str | tuple[str, ...] = AUTHORITY,
    status: int = 401,
    more: Headers = (),
) -> Response:
    tenants = (tenant,) if isinstance(tenant, str) else tenant
    authorities = (authority,) if isinstance(authority, str) else authority
    headers = (
        *(("www-authenticate", value) for value in authenticate),
        *(("x-vss-resourcetenant", value) for value in tenants),
        *(("x-vss-authorizationendpoint", value) for value in authorities),
        *more,
    )
    return Response(status, headers, b"")


def bearer(pointer: str) -> str:
    return f"Bearer authorization_uri={pointer}"


def test_the_question_carries_no_credential_and_asks_for_no_sign_in_page() -> None:
    request = challenge_request(FEED)

    assert (request.method, request.url, request.body) == ("GET", str(FEED), None)
    assert request.headers == (("X-TFS-FedAuthRedirect", "Suppress"),)


@pytest.mark.parametrize(
    "response",
    [
        answer(bearer(LOGIN), 'Basic realm="https://pkgs.dev.azure.com/"', "TFS-Federated", tenant=TENANT),
        answer(f'{bearer(LOGIN)}, Basic realm="https://pkgs.dev.azure.com/", TFS-Federated', tenant=TENANT),
        answer(f'TFS-Federated,Basic realm="a, Bearer, \'b",{bearer(LOGIN)}'),
        answer(f'bearer AUTHORIZATION_URI = "{LOGIN}/"'),
        answer(bearer(f"https://LOGIN.windows.net:443/{TENANT.upper()}")),
        answer(bearer(f"https://login.microsoft.com/{TENANT}"), bearer(LOGIN)),
        answer("Basic realm=x", tenant=TENANT.upper()),
        answer("Bearer", tenant=TENANT),
        answer(bearer(LOGIN), tenant=(TENANT, f"{TENANT}, {TENANT.upper()}")),
        answer(bearer(LOGIN), tenant=TENANT, status=200),
    ],
)
def test_a_tenant_is_read_from_either_header_in_any_documented_shape(response: Response) -> None:
    assert read_challenge(response, ACME) == Challenge(TENANT, "https://vssps.dev.azure.com/acme")


@pytest.mark.parametrize(
    ("authority", "normal"),
    [
        ("https://vssps.dev.azure.com/acme/", "https://vssps.dev.azure.com/acme"),
        ("https://vssps.dev.azure.com/ACME", "https://vssps.dev.azure.com/acme"),
        ("https://VSSPS.dev.azure.com:443/acme", "https://vssps.dev.azure.com/acme"),
        ("https://vssps.dev.azure.com", "https://vssps.dev.azure.com"),
        ("https://app.vssps.visualstudio.com/", "https://app.vssps.visualstudio.com"),
        ("https://acme.vssps.visualstudio.com/", "https://acme.vssps.visualstudio.com"),
        (
            ("https://vssps.dev.azure.com/acme", "https://vssps.dev.azure.com/acme/"),
            "https://vssps.dev.azure.com/acme",
        ),
        (
            "https://vssps.dev.azure.com/acme,https://vssps.dev.azure.com/acme/",
            "https://vssps.dev.azure.com/acme",
        ),
    ],
)
def test_an_authority_of_the_organisation_is_taken_in_one_spelling(
    authority: str | tuple[str, ...], normal: str
) -> None:
    assert read_challenge(answer(bearer(LOGIN), authority=authority), ACME) == Challenge(TENANT, normal)


HOSTILE_LOGINS = [
    f"http://login.microsoftonline.com/{TENANT}",
    f"https://evil.example/{TENANT}",
    f"https://login.microsoftonline.com.evil.example/{TENANT}",
    f"https://evillogin.microsoftonline.com/{TENANT}",
    f"https://evil.login.microsoftonline.com/{TENANT}",
    f"https://login.microsoftonline.com./{TENANT}",
    f"https://login.microsoftonline.com:8443/{TENANT}",
    f"https://login.microsoftonline.com@evil.example/{TENANT}",
    f"https://user@login.microsoftonline.com/{TENANT}",
    f"https://user:pass@login.microsoftonline.com/{TENANT}",
    f"https://login.microsoftonline.com/{TENANT}/oauth2/authorize",
    f"https://login.microsoftonline.com//{TENANT}",
    f"https://login.microsoftonline.com/../{TENANT}",
    f"https://login.microsoftonline.com/{TENANT}?x=1",
    f"https://login.microsoftonline.com/{TENANT}#x",
    f"https://login.microsoftonline.com\\@evil.example/{TENANT}",
    f"https://login.microsoftonline.us/{TENANT}",
    "https://login.microsoftonline.com/",
    "https://login.microsoftonline.com/common",
    "https://login.microsoftonline.com/acme.example",
    f"https://login.microsoftonline.com/{NOBODY}",
    f"https://login.microsoftonline.com/{TENANT}%00",
    f"//login.microsoftonline.com/{TENANT}",
    "",
    "evil",
]

HOSTILE_AUTHORITIES = [
    "http://vssps.dev.azure.com/acme/",
    "https://evil.example/acme/",
    "https://evil.example/vssps.dev.azure.com/acme/",
    "https://vssps.dev.azure.com.evil.example/acme/",
    "https://evilvssps.dev.azure.com/acme/",
    "https://evil.vssps.visualstudio.com/",
    "https://other.vssps.dev.azure.com/",
    "https://vssps.dev.azure.com./acme/",
    "https://vssps.dev.azure.com:8443/acme/",
    "https://vssps.dev.azure.com@evil.example/acme/",
    "https://acme@vssps.dev.azure.com/acme/",
    "https://vssps.dev.azure.com/other/",
    "https://vssps.dev.azure.com/acme/deeper/",
    "https://vssps.dev.azure.com/acme/../other/",
    "https://vssps.dev.azure.com//evil.example/",
    "https://vssps.dev.azure.com/acme?x=1",
    "https://vssps.dev.azure.com/acme#x",
    "https://vssps.dev.azure.com\\@evil.example/acme",
    "https://vssps.codedev.ms/acme/",
    "https://dev.azure.com/acme/",
    "https://pkgs.dev.azure.com/acme/",
    "https://vssps.dev.azure.com/acme/ https://evil.example/",
    "//vssps.dev.azure.com/acme/",
    "evil",
]


@pytest.mark.parametrize("pointer", HOSTILE_LOGINS)
def test_a_sign_in_anywhere_but_at_entra_is_refused(pointer: str) -> None:
    with pytest.raises(Refused, match="which is not Entra"):
        read_challenge(answer(bearer(pointer)), ACME)


@pytest.mark.parametrize("pointer", HOSTILE_LOGINS)
def test_one_bad_pointer_beside_a_good_one_refuses_both(pointer: str) -> None:
    for values in (
        (bearer(LOGIN), bearer(pointer)),
        (bearer(pointer), bearer(LOGIN)),
        (f"{bearer(LOGIN)}, {bearer(pointer)}",),
        (f"{bearer(LOGIN)} authorization_uri={pointer}",),
        (bearer(LOGIN), f"Basic realm=x, authorization_uri={pointer}"),
    ):
        with pytest.raises(Refused, match="which is not Entra"):
            read_challenge(answer(*values, tenant=TENANT), ACME)


@pytest.mark.parametrize("pointer", HOSTILE_AUTHORITIES)
def test_an_authority_anywhere_but_of_the_organisation_is_refused(pointer: str) -> None:
    for authority in (pointer, (AUTHORITY, pointer), (pointer, AUTHORITY), f"{AUTHORITY}, {pointer}"):
        with pytest.raises(Refused, match="has its tokens issued at"):
            read_challenge(answer(bearer(LOGIN), authority=authority), ACME)


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (answer(bearer(LOGIN), tenant=OTHER), "several tenants"),
        (answer(bearer(LOGIN), bearer(f"https://login.windows.net/{OTHER}")), "several tenants"),
        (answer(bearer(LOGIN), tenant=NOBODY), "several tenants"),
        (answer(bearer(LOGIN), tenant=(TENANT, OTHER)), "several tenants"),
        (answer(tenant=f"{TENANT}, {OTHER}"), "several tenants"),
        (answer(bearer(LOGIN), tenant="acme.example"), "a tenant that is none"),
        (answer(bearer(LOGIN), authority=("https://vssps.dev.azure.com", AUTHORITY)), "several authorities"),
        (answer(bearer(LOGIN), authority=()), "does not say who issues"),
        (answer(bearer(LOGIN), authority=" , "), "does not say who issues"),
        (answer(), "without naming a tenant"),
        (answer(tenant=NOBODY), "without naming a tenant"),
        (answer("Basic realm=x", "NTLM", "Negotiate"), "without naming a tenant"),
        (answer('Basic realm="Bearer"'), "without naming a tenant"),
        (answer("Bearer realm=x", tenant=NOBODY), "without naming a tenant"),
        (answer("Bearerish"), "without naming a tenant"),
        (
            answer(bearer(LOGIN), status=302, more=(("location", "https://evil.example/"),)),
            "302: it redirects",
        ),
        (answer(bearer(LOGIN), status=307), "307: it redirects"),
        (answer(bearer(LOGIN), status=203), "203: it does not ask"),
        (answer(bearer(LOGIN), status=403), "403: it refuses this machine"),
        (answer(bearer(LOGIN), status=404), "404: there is no such organisation"),
        (answer(bearer(LOGIN), status=418), "418: it does not ask"),
        (answer(bearer(f"https://evil.example/{TENANT}"), status=200), "at evil.example, which is not Entra"),
    ],
)
def test_a_challenge_that_names_nobody_or_several_is_refused(response: Response, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        read_challenge(response, ACME)


@pytest.mark.parametrize(
    ("response", "retry_after_s"),
    [
        (answer(status=500), None),
        (answer(status=503, more=(("retry-after", "7"),)), 7.0),
        (answer(status=429, more=(("retry-after", " 120 "),)), 120.0),
    ],
)
def test_a_service_in_trouble_is_asked_again_later(response: Response, retry_after_s: float | None) -> None:
    with pytest.raises(Unavailable) as raised:
        read_challenge(response, ACME)

    assert raised.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("tenant", [(), NOBODY, (NOBODY, NOBODY)])
def test_an_organisation_of_personal_accounts_names_no_tenant(tenant: str | tuple[str, ...]) -> None:
    response = answer("Bearer", "Basic realm=x", tenant=tenant)

    assert read_challenge(response, ACME) == Challenge(ORGANISATIONS, "https://vssps.dev.azure.com/acme")


def test_a_feed_that_answers_is_public() -> None:
    """The header is one of those that a public feed was seen to send (fluentmigrator#1101)."""
    named = answer(status=200, authority=(), more=(("x-tfs-processid", "b63d4854"),))

    assert read_challenge(named, ACME) == PublicFeed()


def test_a_page_of_a_proxy_in_the_feeds_place_makes_no_feed_public() -> None:
    page = answer(status=200, authority=(), more=(("content-type", "text/html"),))

    with pytest.raises(Unavailable, match="acme answers with a page that is not its own"):
        read_challenge(page, ACME)


def test_an_internal_organisation_has_internal_authorities_only() -> None:
    internal = Organisation("acme", INTERNAL)

    assert read_challenge(answer(bearer(LOGIN), authority="https://vssps.codedev.ms/acme"), internal)
    with pytest.raises(Refused):
        read_challenge(answer(bearer(LOGIN)), internal)


@pytest.mark.parametrize(
    ("text", "verdict"), [(TENANT, True), (TENANT.upper(), True), ("acme.example", False)]
)
def test_a_tenants_id_can_be_told_from_a_domain(text: str, verdict: bool) -> None:
    assert is_guid(text) is verdict


def test_a_refused_pointer_is_shown_by_its_host_alone() -> None:
    with pytest.raises(Refused) as raised:
        read_challenge(answer(bearer("https://user:s3cret@evil.example/s3cret?s3cret")), ACME)

    assert "at evil.example," in raised.value.detail
    assert "s3cret" not in raised.value.detail


def test_an_organisation_is_found_by_its_realm() -> None:
    assert organisation_of(realm_of(FEED, "azure")) == ACME
    assert organisation_of(realm_of(parse_url("https://tfs.example.com/tfs/x/"), "azure")) is None


HEADER_TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
)


@given(
    st.lists(HEADER_TEXT | HEADER_TEXT.map(bearer) | st.just(bearer(LOGIN)), max_size=3),
    st.lists(HEADER_TEXT | st.just(TENANT), max_size=2),
    st.lists(
        HEADER_TEXT | HEADER_TEXT.map("https://vssps.dev.azure.com/{}".format) | st.just(AUTHORITY),
        max_size=2,
    ),
    st.integers(100, 599),
)
def test_whatever_a_feed_answers_a_bearer_goes_to_azure_or_nowhere(
    authenticate: list[str], tenants: list[str], authorities: list[str], status: int
) -> None:
    response = answer(*authenticate, tenant=tuple(tenants), authority=tuple(authorities), status=status)
    outcome: Challenge | PublicFeed | NotObtained
    try:
        outcome = read_challenge(response, ACME)
    except NotObtained as failure:
        outcome = failure

    if isinstance(outcome, NotObtained):
        assert outcome.detail.isprintable()
    if isinstance(outcome, Challenge):
        assert outcome.tenant in {TENANT, ORGANISATIONS} or is_guid(outcome.tenant)
        assert outcome.authority in {"https://vssps.dev.azure.com", "https://vssps.dev.azure.com/acme"}
