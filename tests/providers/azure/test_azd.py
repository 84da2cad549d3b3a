from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.providers.azure.azd import AzureDeveloperCli, failure_of
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.identities import Bearer
from broker.providers.claims_challenge import encoded
from tests.fakes import faults
from tests.providers.azure.feeds import PERSON, TENANT, feed_with, leave
from tests.providers.programs import Workshop
from tests.providers.tokens import jwt

if TYPE_CHECKING:
    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.organisation import Organisation

REPEAT = "azd auth token"
LOGIN = f"azd auth login --tenant-id {TENANT}"
NEW_YEAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def azd(workshop: Workshop) -> AzureDeveloperCli:
    return AzureDeveloperCli(workshop.environ)


async def test_azd_is_asked_for_the_scope_and_the_tenant(azd: AzureDeveloperCli, workshop: Workshop) -> None:
    token = jwt(tid=TENANT, upn=PERSON, scp="user_impersonation")
    answer = json.dumps({"token": token, "expiresOn": "2099-01-01T00:00:00Z"})
    said = workshop.home / "said"
    workshop.script("azd", f"echo \"$@\" > {said}; printf %s '{answer}'")

    bearer = await azd.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.token.reveal(), bearer.kind, bearer.account) == (token, "user", PERSON)
    # the zone is said, and it is UTC: azure-identity 1.27 takes it for the local one
    assert bearer.expires_at == NEW_YEAR
    assert said.read_text() == (
        "auth token --output json --no-prompt --scope 499b84ac-1321-427f-aa17-267ca6975798/.default "
        f"--tenant-id {TENANT}\n"
    )


async def test_personal_accounts_are_asked_for_without_a_tenant(
    azd: AzureDeveloperCli, workshop: Workshop
) -> None:
    said = workshop.home / "said"
    workshop.script("azd", f"echo \"$@\" > {said}; printf %s '{json.dumps({'token': 'a'})}'")

    await azd.bearer(ORGANISATIONS)

    assert "--tenant-id" not in said.read_text()


@pytest.mark.parametrize(
    ("words", "kind", "detail", "hint", "drops"),
    [
        ("ERROR: not logged in, run `azd auth login` to login", SignInNeeded, "is signed out", LOGIN, True),
        ("AADSTS70043: s3cret", SignInNeeded, "sign-in frequency", LOGIN, False),
        ("AADSTS50173: s3cret", SignInNeeded, "revoked", LOGIN, True),
        ("AADSTS90002: s3cret", Refused, "tenant does not exist", None, False),
        ("dial tcp: lookup login: no such host", Unavailable, "cannot reach", "brokerctl doctor", False),
        ("x509: unknown authority", Unavailable, "cannot reach", "brokerctl doctor", False),
        ("reauthentication required, run `azd auth login`", SignInNeeded, "no sign-in", LOGIN, False),
        ("invalid_grant s3cret", SignInNeeded, "no sign-in", LOGIN, False),
        ("s3cret", Unavailable, "exit code 1", REPEAT, False),
    ],
)
def test_azds_complaints_have_a_meaning(
    words: str, kind: type[NotObtained], detail: str, hint: str | None, drops: bool
) -> None:
    failure = failure_of(words, 1, TENANT, REPEAT)

    assert isinstance(failure, kind)
    assert detail in failure.detail
    assert "s3cret" not in failure.detail
    assert failure.hint == hint
    assert getattr(failure, "drops_token", False) is drops


async def test_a_failing_azd_is_read_on_both_streams(azd: AzureDeveloperCli, workshop: Workshop) -> None:
    workshop.printer("azd", "not logged in, run `azd auth login` to login", code=1)

    with pytest.raises(SignInNeeded, match="azd is signed out"):
        await azd.bearer(TENANT)


@pytest.mark.parametrize(
    "output", ["", "s3cret", '{"token": ""}', '{"token": null}', '{"token": 5}', '{"token": "a\\nb"}', "[]"]
)
async def test_output_without_a_token_may_be_better_later(
    output: str, azd: AzureDeveloperCli, workshop: Workshop
) -> None:
    workshop.printer("azd", output)

    with pytest.raises(Unavailable, match="azd printed something else than a token"):
        await azd.bearer(TENANT)


def test_without_azd_this_way_is_closed(azd: AzureDeveloperCli, workshop: Workshop) -> None:
    workshop.environ["PATH"] = str(workshop.folder)

    assert azd.unavailable_reason() == "azd is not on the broker's PATH"
    workshop.printer("azd", "")
    assert azd.unavailable_reason() is None


def test_marks_change_when_a_person_signs_in(azd: AzureDeveloperCli, workshop: Workshop) -> None:
    before = azd.fingerprint()
    (workshop.home / ".azd").mkdir()
    workshop.file(".azd/auth.json", "{}")

    assert azd.fingerprint() != before


async def test_a_persons_token_from_azd_is_exchanged(
    provider: Provider, tools: ProviderContext, workshop: Workshop, acme: Organisation, cloud: AzureDevOps
) -> None:
    workshop.printer("azd", json.dumps({"token": cloud.bearer(PERSON, TENANT)}))
    leave(tools, PATH=workshop.environ["PATH"])

    credential = await provider.obtain(feed_with(auth=["azd"]), READ)

    assert (credential.source, credential.account) == ("azd", PERSON)
    assert [exchange.user for exchange in acme.exchanges] == [PERSON]


async def test_a_refused_token_is_told_with_the_command_of_azd(
    provider: Provider, tools: ProviderContext, workshop: Workshop, acme: Organisation, cloud: AzureDevOps
) -> None:
    workshop.printer("azd", json.dumps({"token": cloud.bearer(PERSON, TENANT)}))
    leave(tools, PATH=workshop.environ["PATH"])
    acme.exchange_faults.give(faults.azure_error(401, "TF400813: no"))

    with pytest.raises(Refused, match="does not take the sign-in") as raised:
        await provider.obtain(feed_with(auth=["azd"]), READ)

    assert raised.value.hint == LOGIN


def test_an_applications_secret_is_given_as_azd_takes_it() -> None:
    failure = failure_of("AADSTS7000222: the secret has expired", 1, TENANT, REPEAT)

    assert failure.hint == f'{LOGIN} --client-id APP_ID --client-secret ""'


CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'


async def test_azd_hands_claims_on(azd: AzureDeveloperCli, workshop: Workshop) -> None:
    said = workshop.home / "said"
    workshop.script("azd", f"echo \"$@\" > {said}; printf %s '{json.dumps({'token': 'a'})}'")

    await azd.bearer(TENANT, CLAIMS)

    assert said.read_text().split()[-2:] == ["--claims", encoded(CLAIMS)]


async def test_an_azd_that_knows_no_claims_is_asked_without(
    azd: AzureDeveloperCli, workshop: Workshop
) -> None:
    script = "case \"$*\" in *--claims*) echo 'Error: unknown flag: --claims' >&2; exit 1;; esac; printf %s "
    workshop.script("azd", f"{script}'{json.dumps({'token': 'a'})}'")

    assert isinstance(await azd.bearer(TENANT, CLAIMS), Bearer)
