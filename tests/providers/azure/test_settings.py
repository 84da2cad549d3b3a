import pytest
from pydantic import ValidationError

from broker.core.feeds import DEFAULT_IDENTITY, PUBLISH, READ
from broker.providers.azure.provider import FEEDS_OWN, IDENTITIES
from broker.providers.azure.settings import AUTH, DEFAULT_AUTH, AzureSettings
from broker.providers.protocol import Provider
from tests.providers.azure.feeds import OTHER_TENANT, PERSON, TENANT
from tests.providers.azure.jobs import CLIENT


def test_settings_that_name_somebody_differ_from_the_default_and_from_each_other(provider: Provider) -> None:
    named: list[dict[str, object]] = [
        {},
        {"tenant": TENANT},
        {"tenant": OTHER_TENANT},
        {"account": PERSON},
        {"auth": ["azure-cli"]},
        {"auth": ["azure-cli", "env"]},
        {"tenant": TENANT, "account": PERSON},
        {"secret": "env:A"},
        {"secret": "env:B"},
        {"secret": "env:A", "client_id": CLIENT},
        {"secret": "env:A", "client_id": OTHER_TENANT},
        {"certificate": "/a.pem", "client_id": CLIENT},
        {"certificate": "~/a.pem", "client_id": CLIENT},
        {"service_connection_id": CLIENT},
        {"client_id": CLIENT},
        {"login_hosts": ["login.microsoftonline.us"]},
        {"authorities": ["vssps.example"]},
    ]

    identities = [provider.identity(AzureSettings.model_validate(keys)) for keys in named]

    assert len(set(identities)) == len(named)
    assert identities[0] == DEFAULT_IDENTITY


@pytest.mark.parametrize(
    "keys", [{"auth": list(DEFAULT_AUTH)}, {"scope": "publish"}, {"token": "entra"}, {"token": "session"}]
)
def test_settings_that_say_the_usual_name_nobody(keys: dict[str, object], provider: Provider) -> None:
    assert provider.identity(AzureSettings.model_validate(keys)) == DEFAULT_IDENTITY


def test_names_are_compared_without_case(provider: Provider) -> None:
    one, other = (
        AzureSettings.model_validate({"tenant": tenant, "account": account})
        for tenant, account in (("ACME.example", "Dev@Acme.example"), ("acme.example", "dev@acme.example"))
    )

    assert provider.identity(one) == provider.identity(other)


@pytest.mark.parametrize(
    ("keys", "kind", "scope"),
    [
        ({}, "session", READ),
        ({"token": "session"}, "session", READ),
        ({"token": "entra", "scope": "publish"}, "entra", PUBLISH),
    ],
)
def test_kind_and_scope_are_as_configured(
    keys: dict[str, object], kind: str, scope: str, provider: Provider
) -> None:
    settings = AzureSettings.model_validate(keys)

    assert (provider.kind(settings), settings.default_scope, provider.username(settings)) == (
        kind,
        scope,
        None,
    )


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"auth": []}, "auth is empty: write some of env, workload-identity"),
        ({"auth": ["env", "magic"]}, "there is no sign-in 'magic': write some of env, workload-identity"),
        ({"auth": "env"}, "auth"),
        ({"tenant": ""}, "its id or one of its domains"),
        ({"tenant": "--help"}, "its id or one of its domains"),
        ({"tenant": "acme example"}, "its id or one of its domains"),
        ({"account": ""}, "username"),
        ({"token": "pat"}, "token"),
        ({"scope": "admin"}, "scope"),
        ({"auth": ["pat"]}, "pat in auth needs secret"),
        ({"certificate": "a.pem", "client_id": CLIENT}, "absolute path"),
        ({"secret": "hunter2"}, "never written in the configuration"),
        ({"secret": "env:A", "auth": ["azure-cli"]}, "secret is for pat or client-secret"),
        ({"client_id": CLIENT, "auth": ["azure-cli"]}, "client_id is for"),
        ({"client_id": "my-app"}, "hexadecimal digits"),
        ({"service_connection_id": CLIENT, "auth": ["env"]}, "is for azure-pipelines"),
        (
            {"auth": ["pat", "client-secret"], "secret": "env:A", "client_id": CLIENT},
            "one of pat and client-secret",
        ),
        ({"login_hosts": ["https://login.microsoftonline.us/"]}, "by its name alone"),
        ({"authorities": ["vssps"]}, "by its name alone"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        AzureSettings.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "auth"),
    [
        ({"secret": "env:A"}, ("pat",)),
        ({"secret": "env:A", "client_id": CLIENT}, ("client-secret",)),
        ({"certificate": "/a.pem", "client_id": CLIENT}, ("client-certificate",)),
        ({"certificate": "/a.pem", "client_id": CLIENT, "secret": "env:A"}, ("client-certificate",)),
        ({"service_connection_id": CLIENT}, ("azure-pipelines",)),
        ({"client_id": CLIENT}, DEFAULT_AUTH),
        ({}, DEFAULT_AUTH),
    ],
)
def test_the_keys_say_how_to_sign_in_where_auth_does_not(
    keys: dict[str, object], auth: tuple[str, ...]
) -> None:
    assert AzureSettings.model_validate(keys).auth == auth


def test_every_name_has_a_way_and_every_way_a_name() -> None:
    assert set(AUTH) == {*IDENTITIES, *FEEDS_OWN}
