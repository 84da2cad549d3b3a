import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.credential import Secret
from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import PUBLISH, READ
from broker.host.http import Response
from broker.providers.azure.challenge import Challenge
from broker.providers.azure.organisation import Organisation
from broker.providers.azure.session_token import (
    BearerRefused,
    LifeRefused,
    SessionToken,
    exchange_request,
    read_exchange,
)
from broker.providers.recognise.azure_addresses import PRODUCTION
from tests.providers.tokens import jwt

ACME = Organisation("acme", PRODUCTION)
CHALLENGE = Challenge("11111111-aaaa-bbbb-cccc-555555555555", "https://vssps.dev.azure.com/acme")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NEW_YEAR + timedelta(hours=1)
EPOCH = int(NEW_YEAR.timestamp())


def answer(status: int, content: object = None, *, retry_after: str | None = None) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(status, (("retry-after", retry_after),) if retry_after else (), body)


@pytest.mark.parametrize(("scope", "asked"), [(READ, "vso.packaging"), (PUBLISH, "vso.packaging_write")])
def test_the_request_asks_the_authority_for_one_scope_and_one_life(scope: str, asked: str) -> None:
    valid_to = NEW_YEAR.astimezone(timezone(timedelta(hours=5)))

    request = exchange_request(CHALLENGE, Secret("b3arer"), scope, valid_to)

    assert request.method == "POST"
    assert request.url == (
        "https://vssps.dev.azure.com/acme/_apis/Token/SessionTokens"
        "?tokenType=SelfDescribing&api-version=5.0-preview.1"
    )
    assert dict(request.headers) == {
        "Authorization": "Bearer b3arer",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-TFS-FedAuthRedirect": "Suppress",
    }
    assert json.loads(request.body or b"") == {
        "displayName": "token-broker",
        "scope": asked,
        "validTo": "2026-01-01T00:00:00Z",
    }


def test_without_a_life_the_service_decides() -> None:
    request = exchange_request(CHALLENGE, Secret("b3arer"), READ, None)

    assert json.loads(request.body or b"") == {"displayName": "token-broker", "scope": "vso.packaging"}


def test_a_request_shows_no_bearer() -> None:
    assert "b3arer" not in repr(exchange_request(CHALLENGE, Secret("b3arer"), READ, None))


@pytest.mark.parametrize(
    ("content", "ends"),
    [
        ({"token": "s3cret"}, None),
        ({"token": "s3cret", "validTo": "2026-01-01T00:00:00Z"}, NEW_YEAR),
        (
            {"token": "s3cret", "validTo": "2026-01-01T00:00:00.1234567Z"},
            NEW_YEAR.replace(microsecond=123456),
        ),
        ({"token": "s3cret", "validTo": "2026-01-01T00:00:00"}, NEW_YEAR),
        ({"token": "s3cret", "validTo": "2026-01-01T02:00:00+02:00"}, NEW_YEAR),
        ({"token": "s3cret", "validTo": "0001-01-01T00:00:00+02:00"}, None),
        ({"token": "s3cret", "validTo": "soon"}, None),
        ({"token": "s3cret", "validTo": 5}, None),
        ({"token": jwt(exp=EPOCH)}, NEW_YEAR),
        ({"token": jwt(exp=EPOCH), "validTo": LATER.isoformat()}, NEW_YEAR),
        ({"token": jwt(exp=EPOCH + 3600), "validTo": "2026-01-01T00:00:00Z"}, NEW_YEAR),
        ({"token": jwt(exp=EPOCH), "validTo": "soon"}, NEW_YEAR),
    ],
)
def test_a_token_ends_at_the_earliest_time_that_anything_tells(
    content: dict[str, str], ends: datetime | None
) -> None:
    token = read_exchange(answer(200, content), ACME, asked_life=True)

    assert token == SessionToken(Secret(content["token"]), ends)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>s3cret</html>",
        b"[" * 20000,
        b"\xff",
        [],
        {},
        {"token": ""},
        {"token": None},
        {"token": 5},
        {"token": "s3cret\nmore"},
        {"message": "s3cret"},
    ],
)
def test_an_answer_without_a_token_may_be_better_later(content: object) -> None:
    with pytest.raises(Unavailable, match="answers without a token") as raised:
        read_exchange(answer(200, content), ACME, asked_life=True)

    assert "s3cret" not in str(raised.value)


def test_a_life_that_is_not_allowed_is_not_asked_for_again() -> None:
    assert read_exchange(answer(400, {"message": "s3cret"}), ACME, asked_life=True) == LifeRefused()


def test_an_account_that_was_never_seen_must_open_the_organisation_in_a_browser() -> None:
    with pytest.raises(SignInNeeded, match="TF401444") as raised:
        read_exchange(
            answer(401, {"message": "TF401444: Please sign-in at least once as s3cret"}),
            ACME,
            asked_life=True,
        )

    assert raised.value.hint == "python3 -I -m webbrowser https://dev.azure.com/acme"
    assert not raised.value.drops_token
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (answer(401, {"message": "TF400813: The user 's3cret' is not authorized"}), "401, TF400813"),
        (answer(401, {"message": "TF400813 TF400813 VS30063"}), "401, TF400813, VS30063"),
        (answer(401, b"<html>s3cret TF400813"), "401"),
        (answer(401, {"message": ["s3cret"]}), "401"),
        (answer(203, b"<html>Sign in"), "203"),
        (answer(302, b""), "302"),
    ],
)
def test_a_bearer_that_is_not_taken_is_told_by_code_only(response: Response, why: str) -> None:
    assert read_exchange(response, ACME, asked_life=True) == BearerRefused(why)


@pytest.mark.parametrize(
    ("response", "kind", "complaint"),
    [
        (answer(400, {"message": "s3cret"}), Refused, "refuses the exchange .400.$"),
        (
            answer(403, {"message": "VS403463: s3cret"}),
            Refused,
            "does not let this account .* .403, VS403463.$",
        ),
        (
            answer(404, {"message": "TF400898: s3cret"}),
            Refused,
            "does not know organisation acme .404, TF400898.$",
        ),
        (answer(301), Refused, "refuses the exchange .301.$"),
        (answer(418), Refused, "refuses the exchange .418.$"),
        (answer(500, b"<h1>s3cret"), Unavailable, "answers 500$"),
        (answer(503), Unavailable, "answers 503$"),
        (answer(429, {"message": "TF400733: s3cret"}), Unavailable, "answers 429, TF400733$"),
    ],
)
def test_every_other_answer_is_a_definite_no_or_a_later(
    response: Response, kind: type[NotObtained], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint) as raised:
        read_exchange(response, ACME, asked_life=False)

    assert "s3cret" not in str(raised.value)


def test_the_services_wish_when_to_come_back_is_kept() -> None:
    with pytest.raises(Unavailable) as raised:
        read_exchange(answer(429, retry_after="7"), ACME, asked_life=True)

    assert raised.value.retry_after_s == 7.0


@given(
    st.integers(100, 599),
    st.binary(max_size=80) | st.text(max_size=40).map(lambda text: json.dumps({"message": text}).encode()),
)
def test_no_answer_makes_reading_fail_otherwise(status: int, body: bytes) -> None:
    told = ""
    try:
        read_exchange(Response(status, (), body), ACME, asked_life=True)
    except NotObtained as failure:
        told = failure.detail

    assert told.isprintable()
