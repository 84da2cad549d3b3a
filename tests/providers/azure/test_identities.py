from datetime import UTC, datetime, timedelta

import pytest

from broker.core.credential import Secret
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.identities import account_of, entra_bearer, is_app, login_line, tenant_of
from tests.providers.tokens import jwt

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ({"idtyp": "app"}, True),
        ({"idtyp": "app", "scp": "x"}, True),
        ({"idtyp": "user"}, False),
        ({"idtyp": "user", "roles": ["x"]}, False),
        ({"scp": "user_impersonation"}, False),
        ({"scp": "user_impersonation", "roles": ["x"]}, False),
        ({"roles": ["x"]}, True),
        ({"upn": "dev@acme.example"}, False),
        ({}, False),
    ],
)
def test_an_app_is_told_from_a_user(claims: dict[str, object], verdict: bool) -> None:
    assert is_app(claims) is verdict


@pytest.mark.parametrize(
    ("claims", "account"),
    [
        ({"upn": "a", "preferred_username": "b", "unique_name": "c", "oid": "d", "appid": "e"}, "a"),
        ({"preferred_username": "b", "unique_name": "c"}, "b"),
        ({"unique_name": "c", "oid": "d"}, "c"),
        ({"oid": "d", "appid": "e"}, "d"),
        ({"appid": "e", "scp": "x"}, None),
        ({"idtyp": "app", "appid": "e", "oid": "d"}, "e"),
        ({"idtyp": "app", "azp": "f", "oid": "d"}, "f"),
        ({"upn": 5, "oid": "d"}, "d"),
        ({"upn": "a\nb"}, None),
        ({}, None),
    ],
)
def test_an_account_is_who_signed_in_not_the_program_that_did(
    claims: dict[str, object], account: str | None
) -> None:
    assert account_of(claims) == account


@pytest.mark.parametrize(("tid", "tenant"), [("ABC", "abc"), (5, None), ("a\nb", None), (None, None)])
def test_a_tenant_is_in_lower_case_or_unknown(tid: object, tenant: str | None) -> None:
    assert tenant_of({"tid": tid}) == tenant


@pytest.mark.parametrize("told", [None, NEW_YEAR, NEW_YEAR + timedelta(hours=1)])
def test_a_bearer_ends_at_the_earliest_time_told(told: datetime | None) -> None:
    token = Secret(jwt(exp=int(NEW_YEAR.timestamp()), upn="dev@acme.example", tid="T"))

    bearer = entra_bearer(token, "azure-cli", told)

    assert (bearer.expires_at, bearer.kind, bearer.account, bearer.tenant) == (
        NEW_YEAR,
        "user",
        "dev@acme.example",
        "t",
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("acme.example",), "az login --tenant acme.example"),
        (("acme.example", "--scope", "x"), "az login --tenant acme.example --scope x"),
        ((ORGANISATIONS,), "az login"),
    ],
)
def test_the_line_to_type_names_the_tenant(arguments: tuple[str, ...], line: str) -> None:
    assert login_line(*arguments) == line
