from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NoSource
from broker.core.feeds import READ
from broker.providers.azure.endpoints import Application, Useless, application_in, is_for, left_in
from tests.providers.azure.feeds import FEED, OTHER_TENANT, TENANT, feed_with, leave
from tests.providers.azure.jobs import CLIENT, SECRET, Job

if TYPE_CHECKING:
    from broker.providers.protocol import Provider
    from tests.fakes.organisation import Organisation

NUGET = "https://pkgs.dev.azure.com/acme/_packaging/other/nuget/v3/index.json"
EXTERNAL = "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"


def written(*credentials: object) -> str:
    return json.dumps({"endpointCredentials": credentials})


@pytest.mark.parametrize(
    ("credentials", "left"),
    [
        ([{"endpoint": NUGET, "password": "s3cret"}], ["s3cret"]),
        ([{"endpoint": NUGET, "password": "a"}, {"endpoint": FEED, "password": "b"}], ["b", "a"]),
        ([{"endpoint": "https://acme.pkgs.visualstudio.com/_packaging/x/", "password": "a"}], ["a"]),
        ([{"endpoint": FEED.replace("acme", "labs"), "password": "a"}], []),
        ([{"endpoint": "https://pkgs.dev.azure.com.evil.example/acme/", "password": "a"}], []),
        ([{"endpoint": FEED, "clientId": CLIENT}], [Application(CLIENT)]),
        ([{"endpoint": FEED, "clientId": "system"}], [Application(None)]),
        (
            [{"endpoint": FEED, "clientId": CLIENT, "clientCertificateFilePath": "/a.pem"}],
            [Application(CLIENT, certificate="/a.pem")],
        ),
        (
            [{"endpoint": FEED, "clientId": CLIENT, "clientCertificateSubjectName": "CN=a"}],
            [Useless("names a certificate of Windows' own store")],
        ),
        ([{"endpoint": FEED}], [Useless("names neither password nor clientId for this feed")]),
        ([], []),
    ],
)
def test_endpoints_are_read_for_the_feed_and_its_organisation_alone(
    credentials: list[object], left: list[object]
) -> None:
    assert list(left_in(written(*credentials), feed_with())) == left


@pytest.mark.parametrize(
    "text", ["", "s3cret", "[]", "{}", '{"endpointCredentials": 5}', written({}), written({"endpoint": "x"})]
)
def test_what_is_not_the_documented_json_is_no_use(text: str) -> None:
    assert list(left_in(text, feed_with())) == [Useless("is not JSON with endpointCredentials")]


@pytest.mark.parametrize(
    ("prefixes", "verdict"),
    [
        ("", True),
        (" ; ", True),
        ("https://pkgs.dev.azure.com/acme/", True),
        (f"https://other.example/;{FEED}", True),
        ("https://pkgs.dev.azure.com/ac", False),
        ("https://pkgs.dev.azure.com/labs/", False),
        ("not an address", False),
    ],
)
def test_a_token_is_for_the_addresses_that_its_prefixes_name(prefixes: str, verdict: bool) -> None:
    assert is_for(prefixes, feed_with()) is verdict


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": "s"}, None),
        ({"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT}, None),
        (
            {"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT.upper(), "AZURE_CLIENT_SECRET": "s"},
            ("AZURE_CLIENT_SECRET", Application(CLIENT, "s", tenant=TENANT)),
        ),
        (
            {
                "AZURE_CLIENT_ID": CLIENT,
                "AZURE_TENANT_ID": TENANT,
                "AZURE_CLIENT_CERTIFICATE_PATH": "/a.pem",
                "AZURE_CLIENT_CERTIFICATE_PASSWORD": "p",
            },
            ("AZURE_CLIENT_CERTIFICATE_PATH", Application(CLIENT, "p", "/a.pem", TENANT)),
        ),
    ],
)
def test_the_environments_application_is_whole_or_none(environ: dict[str, str], found: object) -> None:
    assert application_in(environ) == found


def test_a_secret_that_was_left_does_not_print() -> None:
    assert "s3cret" not in repr(Application(CLIENT, "s3cret"))


async def test_an_endpoints_password_is_handed_through(
    provider: Provider, job: Job, acme: Organisation
) -> None:
    token = acme.issue("a build").value
    leave(job.tools, **{EXTERNAL: written({"endpoint": NUGET, "username": "x", "password": token})})

    credential = await provider.obtain(feed_with(auth=["env"]), READ)

    assert (credential.secret.reveal(), credential.source) == (token, f"env:{EXTERNAL}")


async def test_an_endpoints_identity_is_the_machines(provider: Provider, job: Job) -> None:
    job.feed("managed-identity")
    leave(job.tools, **{EXTERNAL: written({"endpoint": NUGET, "clientId": CLIENT})})

    credential = await provider.obtain(feed_with(auth=["env"]), READ)

    assert (credential.account, credential.source) == (CLIENT, f"env:{EXTERNAL}")


async def test_the_environments_application_signs_in(provider: Provider, job: Job) -> None:
    job.feed("default")

    credential = await provider.obtain(feed_with(auth=["env"]), READ)

    assert (credential.account, credential.source) == (CLIENT, "env:AZURE_CLIENT_SECRET")


async def test_an_application_of_another_tenant_is_left_alone(provider: Provider, job: Job) -> None:
    leave(job.tools, AZURE_CLIENT_ID=CLIENT, AZURE_TENANT_ID=OTHER_TENANT, AZURE_CLIENT_SECRET=SECRET)

    with pytest.raises(NoSource, match=f"its application is of tenant {OTHER_TENANT}"):
        await provider.obtain(feed_with(auth=["env"]), READ)

    assert len(job.cloud.entra.requests) == 0


async def test_a_newline_behind_the_environments_secret_is_left_out(provider: Provider, job: Job) -> None:
    job.feed("default")
    leave(job.tools, AZURE_CLIENT_SECRET=f"{SECRET}\n")

    credential = await provider.obtain(feed_with(auth=["env"]), READ)

    assert credential.account == CLIENT


@pytest.mark.parametrize("secret", ["s3cret€", "s3cret\r\nmore"])
async def test_a_secret_of_the_environment_that_cannot_be_sent_is_told_and_not_shown(
    secret: str, provider: Provider, job: Job
) -> None:
    job.feed("default")
    leave(job.tools, AZURE_CLIENT_SECRET=secret)

    with pytest.raises(NoSource, match="env:AZURE_CLIENT_SECRET: not one line of printable ASCII") as raised:
        await provider.obtain(feed_with(auth=["env"]), READ)

    assert "s3cret" not in raised.value.detail
