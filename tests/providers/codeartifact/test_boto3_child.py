"""The real boto3 and the AWS CLI's own words, against AWS's real host names."""

import json
from datetime import UTC, datetime

import pytest

from broker.core.credential import Secret
from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.providers.codeartifact import provider as codeartifact_provider
from broker.providers.protocol import Provider
from tests.fakes.aws import (
    CHINESE_HOST,
    CODEARTIFACT_HOST,
    ROLE,
    SSO_HOST,
    STS_HOST,
    WEB_IDENTITY,
    error,
    sts_error,
)
from tests.fakes.connect_proxy import Conduct
from tests.fakes.evil import EvilHost
from tests.fakes.faults import redirect
from tests.fakes.http1 import Response
from tests.providers.codeartifact.feeds import CHINESE, PRIVATE, Machine, feed_with
from tests.providers.programs import Workshop
from tests.sampling import sampled

TOKEN = {"authorizationToken": "s3cret-of-the-cli", "expiration": "2026-11-21T21:00:00+00:00"}


@pytest.mark.usefixtures("own_children")
async def test_a_profiles_key_gets_the_domains_token(provider: Provider, machine: Machine) -> None:
    machine.home.key("work")

    credential = await provider.obtain(feed_with(provider, profile="work", duration="1h"), READ)

    assert machine.aws.tokens[credential.secret.reveal()] == "user"
    assert (credential.username, credential.account) == ("aws", "work")
    assert credential.source == "boto3:shared-credentials-file"
    assert credential.expires_at is not None
    assert 3500 < (credential.expires_at - datetime.now(UTC)).total_seconds() < 3700
    asked = machine.aws.requests.entries[0]
    assert asked.query == {"domain": "my-team", "domain-owner": "123456789012", "duration": "3600"}
    assert machine.proxy.hosts == [CODEARTIFACT_HOST]


async def test_a_configured_role_is_assumed(provider: Provider, machine: Machine) -> None:
    machine.home.key()

    credential = await provider.obtain(feed_with(provider, role=ROLE), READ)

    assert machine.aws.tokens[credential.secret.reveal()] == "role"
    assert credential.account == ROLE
    assert machine.proxy.hosts == [CODEARTIFACT_HOST, STS_HOST]


async def test_a_clusters_web_identity_signs_in(provider: Provider, machine: Machine) -> None:
    assertion = machine.workshop.file("assertion", WEB_IDENTITY)
    machine.workshop.environ |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(assertion)}

    credential = await provider.obtain(feed_with(provider), READ)

    assert machine.aws.tokens[credential.secret.reveal()] == "role"
    assert credential.source == "boto3:assume-role-with-web-identity"


@pytest.mark.usefixtures("own_children")
async def test_a_person_of_identity_center_signs_in(provider: Provider, machine: Machine) -> None:
    machine.home.sso("work")

    credential = await provider.obtain(feed_with(provider, profile="work"), READ)

    assert machine.aws.tokens[credential.secret.reveal()] == "sso"
    assert credential.source == "boto3:sso"
    assert machine.proxy.hosts == [CODEARTIFACT_HOST, SSO_HOST]


async def test_an_authority_of_the_system_is_trusted(provider: Provider, machine: Machine) -> None:
    machine.home.key()
    del machine.workshop.environ["REQUESTS_CA_BUNDLE"]  # what is left is where OpenSSL finds the system's

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.username == "aws"


async def test_china_is_asked_in_china(provider: Provider, machine: Machine) -> None:
    machine.home.key()

    await provider.obtain(feed_with(provider, CHINESE), READ)

    assert machine.proxy.hosts == [CHINESE_HOST]


async def test_an_address_that_names_no_domain_has_it_configured(
    provider: Provider, machine: Machine
) -> None:
    machine.home.key()
    keys = {"domain": "my-team", "owner": "123456789012", "region": "eu-west-1"}

    with pytest.raises(Refused, match="does not name a CodeArtifact domain"):
        await provider.obtain(feed_with(provider, PRIVATE), READ)
    await provider.obtain(feed_with(provider, PRIVATE, **keys), READ)

    assert machine.aws.requests.entries[0].query["domain"] == "my-team"


@pytest.mark.parametrize(
    ("token", "life_s"), [("another", 3600), ("another", -60)], ids=["revoked", "expired"]
)
async def test_a_session_that_has_ended_says_how_to_begin_another(
    token: str, life_s: float, provider: Provider, machine: Machine
) -> None:
    machine.home.sso("work", token, life_s)

    with pytest.raises(SignInNeeded, match="the AWS SSO session has expired") as raised:
        await provider.obtain(feed_with(provider, profile="work"), READ)

    assert raised.value.hint == "aws sso login --profile work"


async def test_nobody_signed_in_is_no_source(provider: Provider, machine: Machine) -> None:
    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert (raised.value.hint, raised.value.drops_token) == ("aws sso login", True)
    assert machine.proxy.hosts == []


RIGHTS = "(codeartifact:GetAuthorizationToken, sts:GetServiceBearerToken)"
REFUSALS = {
    "no right": (
        error(403, "AccessDeniedException"),
        Refused,
        f"boto3 may not get a token for this domain {RIGHTS}",
    ),
    "no domain": (
        error(404, "ResourceNotFoundException"),
        Refused,
        "AWS has no such CodeArtifact domain in this region",
    ),
    "too often": (
        error(429, "ThrottlingException"),
        Unavailable,
        "AWS refuses for now (ThrottlingException)",
    ),
    "expired": (
        error(400, "ExpiredTokenException"),
        SignInNeeded,
        "the AWS credentials have expired",
    ),
    "unknown key": (
        error(403, "UnrecognizedClientException"),
        SignInNeeded,
        "AWS does not know the access key",
    ),
    "something new": (
        error(400, "ValidationException"),
        Refused,
        "AWS refuses GetAuthorizationToken (ValidationException)",
    ),
}


@pytest.mark.parametrize(("answer", "kind", "detail"), sampled(REFUSALS, ["unknown key", "something new"]))
async def test_what_aws_says_becomes_what_to_do(
    answer: Response, kind: type[NotObtained], detail: str, provider: Provider, machine: Machine
) -> None:
    machine.home.key()
    machine.aws.faults[CODEARTIFACT_HOST].give(answer)

    with pytest.raises(kind) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert raised.value.detail == detail


async def test_a_role_that_may_not_be_assumed_is_refused(provider: Provider, machine: Machine) -> None:
    machine.home.key()
    machine.aws.faults[STS_HOST].give(sts_error(403, "AccessDenied"))

    with pytest.raises(Refused, match=r"may not assume the role \(sts:AssumeRole\)"):
        await provider.obtain(feed_with(provider, role=ROLE), READ)


@pytest.mark.parametrize(
    ("conduct", "says"),
    [
        (Conduct.REFUSE, "cannot get through the proxy"),
        (Conduct.STRANGE_CERTIFICATE, "does not trust the certificate it is shown"),
    ],
)
async def test_an_outage_is_no_reason_to_sign_in(
    conduct: Conduct, says: str, provider: Provider, machine: Machine
) -> None:
    machine.home.key()
    machine.proxy.conduct(CODEARTIFACT_HOST, conduct)

    with pytest.raises(Unavailable, match=says):
        await provider.obtain(feed_with(provider), READ)


@pytest.fixture
def no_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")


@pytest.mark.usefixtures("no_boto3")
async def test_without_boto3_the_aws_cli_is_asked(provider: Provider, workshop: Workshop) -> None:
    said = workshop.home / "said"
    workshop.script("aws", f"printf '%s\\n' \"$@\" > {said}; printf %s '{json.dumps(TOKEN)}'")

    credential = await provider.obtain(feed_with(provider, profile="work", duration="1h"), READ)

    assert credential.secret == Secret("s3cret-of-the-cli")
    assert credential.expires_at == datetime(2026, 11, 21, 21, tzinfo=UTC)
    assert (credential.source, credential.account) == ("aws", "work")
    assert said.read_text().split() == [
        *("codeartifact", "get-authorization-token", "--domain", "my-team", "--domain-owner"),
        *("123456789012", "--duration-seconds", "3600", "--profile", "work", "--region", "eu-west-1"),
        *("--output", "json"),
    ]


@pytest.mark.usefixtures("no_boto3")
async def test_the_aws_cli_assumes_the_role_first(provider: Provider, workshop: Workshop) -> None:
    given = {"AccessKeyId": "ASIA", "SecretAccessKey": "s3cret", "SessionToken": "s3cret-session"}
    workshop.script(
        "aws",
        f"""case "$1" in
            sts) printf %s '{json.dumps({"Credentials": given})}' ;;
            *) printf '{{"authorizationToken": "for-%s-%s"}}' "$AWS_ACCESS_KEY_ID" "$AWS_SESSION_TOKEN" ;;
        esac""",
    )

    credential = await provider.obtain(feed_with(provider, role=ROLE, profile="work"), READ)

    assert credential.secret == Secret("for-ASIA-s3cret-session")


@pytest.mark.usefixtures("no_boto3")
async def test_without_boto3_and_aws_cli_there_is_no_source(provider: Provider) -> None:
    with pytest.raises(NoSource, match="neither boto3"):
        await provider.obtain(feed_with(provider), READ)


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_is_not_followed(status: int, provider: Provider, machine: Machine) -> None:
    machine.home.key()
    stranger = EvilHost()
    stranger.attach(machine.proxy, "*evil*")
    machine.proxy.route(CODEARTIFACT_HOST, lambda _: redirect("https://evil.example/", status))

    with pytest.raises(NotObtained):
        await provider.obtain(feed_with(provider), READ)

    assert stranger.received == b""


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"Credentials": None},
        {"Credentials": {"AccessKeyId": "AKIA"}},
        {"Credentials": {"AccessKeyId": None, "SecretAccessKey": "s3cret", "SessionToken": "s3cret"}},
    ],
)
async def test_without_a_whole_session_of_the_role_nobody_else_is_asked_for_a_token(
    session: object, provider: Provider, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")
    workshop.script(
        "aws", f"case $1 in sts) echo '{json.dumps(session)}';; *) echo '{json.dumps(TOKEN)}';; esac"
    )

    with pytest.raises(Unavailable, match=r"^aws printed something else than a token: "):
        await provider.obtain(feed_with(provider, role=ROLE), READ)
