import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.providers.azure.az_errors import failure_of
from broker.providers.azure.challenge import ORGANISATIONS
from tests.fakes.az import (
    LOGGED_OUT,
    LOGGED_OUT_OF_SUBSCRIPTION,
    OFFLINE,
    UPGRADE_WARNING,
    aadsts_complaint,
    old_aadsts_complaint,
)

TENANT = "11111111-aaaa-bbbb-cccc-555555555555"
LOGIN = f"az login --tenant {TENANT}"
SCOPED = f"{LOGIN} --scope 499b84ac-1321-427f-aa17-267ca6975798/.default"
FEDERATED = (
    f'{LOGIN} --service-principal --username APP_ID --federated-token "$(cat "$AZURE_FEDERATED_TOKEN_FILE")"'
)
AS_APP = f"{LOGIN} --service-principal --username APP_ID"


@pytest.mark.parametrize("complaint", [aadsts_complaint, old_aadsts_complaint])
@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (700082, "90 days without use", LOGIN),
        (70043, "sign-in frequency", LOGIN),
        (70008, "expired", LOGIN),
        (50173, "revoked", LOGIN),
        (50055, "password has expired", LOGIN),
        (50057, "disabled", LOGIN),
        (50020, "not in this tenant", LOGIN),
        (53003, "conditional access forbids it for Azure DevOps (499b84ac)", SCOPED),
        (530003, "managed device for Azure DevOps", SCOPED),
        (53000, "compliant device for Azure DevOps", SCOPED),
        (700024, "federated token it signed in with has expired", FEDERATED),
        (50076, "second factor", SCOPED),
        (50078, "second factor", SCOPED),
        (50079, "second factor", SCOPED),
        (65001, "consented", SCOPED),
        (7000215, "secret is wrong", AS_APP),
        (7000222, "secret has expired", AS_APP),
        (700027, "certificate is not the application's", f"{AS_APP} --certificate PEM_FILE"),
        (999999, "Entra wants a new sign-in", LOGIN),
    ],
)
def test_a_refusal_of_entra_is_a_sign_in_with_its_code_and_the_line_to_type(
    complaint: object, code: int, words: str, hint: str
) -> None:
    assert callable(complaint)

    failure = failure_of(complaint(code, "s3cret words"), 1, TENANT)

    assert isinstance(failure, SignInNeeded)
    assert words in failure.detail
    assert failure.detail.endswith(f"(AADSTS{code})")
    assert failure.hint == hint
    assert failure.drops_token is (code in {50173, 50057})


@pytest.mark.parametrize("code", [70021, 700211, 700212, 700213])
def test_an_application_that_entra_does_not_federate_is_not_told_to_sign_in_anew(code: int) -> None:
    failure = failure_of(aadsts_complaint(code, "s3cret"), 1, TENANT)

    assert isinstance(failure, Refused)
    assert failure.detail.startswith("the service principal: no federated credential of the application ")
    assert failure.hint == "az ad app federated-credential list --id APP_ID"


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        (LOGGED_OUT, SignInNeeded, "az is signed out"),
        (f"{UPGRADE_WARNING}\n{LOGGED_OUT}", SignInNeeded, "az is signed out"),
        (LOGGED_OUT_OF_SUBSCRIPTION, SignInNeeded, "no sign-in for this tenant"),
        ("ERROR: invalid_grant: s3cret", SignInNeeded, "no sign-in for this tenant"),
        ('{"error": "invalid_grant", "error_codes": [70043]}', SignInNeeded, "AADSTS70043"),
        (OFFLINE, Unavailable, "cannot reach"),
        (f"{OFFLINE}\n{LOGGED_OUT}", Unavailable, "cannot reach"),
        ("(Caused by ProxyError('s3cret')) Max retries exceeded", Unavailable, "proxy"),
        ("SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED)", Unavailable, "certificate"),
        (aadsts_complaint(90033), Unavailable, "AADSTS90033"),
        (aadsts_complaint(90002), Refused, "AADSTS90002"),
        (aadsts_complaint(700016), Refused, "AADSTS700016"),
        (aadsts_complaint(7000112), Refused, "the application is disabled"),
    ],
)
def test_other_complaints_are_told_apart(stderr: str, kind: type[NotObtained], words: str) -> None:
    failure = failure_of(stderr, 1, TENANT)

    assert type(failure) is kind
    assert words in failure.detail
    assert failure.hint == LOGIN or kind is not SignInNeeded
    assert "s3cret" not in str(failure)


@pytest.mark.parametrize(
    ("stderr", "drops"),
    [
        (LOGGED_OUT, True),
        (LOGGED_OUT_OF_SUBSCRIPTION, False),
        (aadsts_complaint(70043), False),
        (aadsts_complaint(50173), True),
    ],
)
def test_only_a_definite_end_drops_what_is_held(stderr: str, drops: bool) -> None:
    failure = failure_of(stderr, 1, TENANT)

    assert isinstance(failure, SignInNeeded)
    assert failure.drops_token is drops


@pytest.mark.parametrize("stderr", ["", "Traceback: s3cret", "\x00\x1b[31m", "s3cret" * 50000])
def test_an_unknown_complaint_is_told_by_its_exit_code_with_a_way_to_see_it(stderr: str) -> None:
    failure = failure_of(stderr, 77, TENANT)

    assert isinstance(failure, Unavailable)
    assert failure.detail == "az ended with exit code 77"
    assert failure.hint is not None
    assert failure.hint == (
        "az account get-access-token --resource 499b84ac-1321-427f-aa17-267ca6975798 "
        f"--tenant {TENANT} --output json --query expiresOn"
    )


TRACEBACK = """The command failed with an unexpected error. Here is the traceback:
{}
Traceback (most recent call last):
  File "/opt/az/lib/python3.13/site-packages/msal_extensions/token_cache.py", line 55, in _reload_if_necessary
    self.deserialize(self._persistence.load())
{}
To check existing issues, please visit: https://aka.ms/azclibug"""
"""The frames that azure-cli#29704 and #29996 show."""


@pytest.mark.parametrize(
    "words",
    [
        "json.decoder.JSONDecodeError: Extra data: line 14 column 6 (char 1981)",  # azure-cli#20749, #29996
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",  # azure-cli#21848, #20853
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x80 in position 0: invalid start byte",
    ],
)
def test_a_damaged_token_cache_is_named_with_the_line_that_removes_it(words: str) -> None:
    failure = failure_of(TRACEBACK.format(words.partition(": ")[2], words), 1, TENANT)

    assert isinstance(failure, SignInNeeded)
    assert failure.detail == "az cannot read its token cache, which is damaged"
    assert failure.hint == f"rm -f ~/.azure/msal_token_cache.json && {LOGIN}"
    assert not failure.drops_token


def test_an_identity_of_another_tenant_is_told() -> None:
    """_profile.py of azure-cli 2.91."""
    words = (
        "For managed identity account, getting access token for non-current tenants is not supported. "
        "The specified tenant must be the current tenant 22222222-aaaa-bbbb-cccc-555555555555"
    )

    failure = failure_of(f"ERROR: {words}", 1, TENANT)

    assert isinstance(failure, SignInNeeded)
    assert "a machine's identity of 22222222-aaaa-bbbb-cccc-555555555555, and" in failure.detail
    assert failure.hint == LOGIN


def test_a_traceback_of_another_kind_is_no_damaged_cache() -> None:
    failure = failure_of("Traceback\nJSONDecodeError: Expecting value: s3cret", 1, TENANT)

    assert isinstance(failure, Unavailable)


def test_an_accounts_own_folder_is_in_every_hint() -> None:
    words = (LOGGED_OUT, "", TRACEBACK.format("Extra data:", ""))

    hints = [
        str(failure_of(one, 1, TENANT, chosen="AZURE_CONFIG_DIR=~/.azure-b ", folder="~/.azure-b").hint)
        for one in words
    ]

    assert hints[0] == f"AZURE_CONFIG_DIR=~/.azure-b {LOGIN}"
    assert hints[1].startswith("AZURE_CONFIG_DIR=~/.azure-b az account get-access-token ")
    assert hints[2] == f"rm -f ~/.azure-b/msal_token_cache.json && AZURE_CONFIG_DIR=~/.azure-b {LOGIN}"


def test_personal_accounts_sign_in_without_a_tenant() -> None:
    assert failure_of(LOGGED_OUT, 1, ORGANISATIONS).hint == "az login"
