import json
import os

import pytest
from pydantic import ValidationError

from broker.core.failures import NoSource, Refused, SignInNeeded, Unavailable
from broker.core.feeds import DEFAULT_IDENTITY, READ, Feed, Realm
from broker.core.urls import Url, parse_url
from broker.providers.aws_errors import failure_of
from broker.providers.codeartifact import provider as codeartifact_provider
from broker.providers.codeartifact.provider import CodeArtifactSettings, domain_of
from broker.providers.protocol import Provider
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.fakes.aws import ROLE, Home
from tests.providers.codeartifact.feeds import CHINESE, URL, feed_with
from tests.providers.programs import Workshop, hanging, no_more_processes
from tests.typed_line import type_line


class TestCodeArtifactKeepsTheContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def no_boto3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The AWS CLI is asked, which a script can be."""
        monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")

    @pytest.fixture
    def feed(self, provider: Provider, workshop: Workshop) -> Feed:
        told = {"authorizationToken": "s3cret", "expiration": "2026-11-21T21:00:00+00:00"}
        workshop.printer("aws", json.dumps(told))
        return feed_with(provider)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.printer("aws", "s3cret", complaint="s3cret (ExpiredToken)", code=254)
        return {"expired": feed_with(provider), "no role": feed_with(provider, role=ROLE)}

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("aws")
        workshop.environ["PATH"] += ":/usr/bin:/bin"  # where sleep is
        return hanging(feed_with(provider), workshop)

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"profile": "work", "duration": "1h"}


@pytest.mark.parametrize(
    "url",
    [
        "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/other/simple/",
        "https://my-team-123456789012.codeartifact.eu-west-1.on.aws/pypi/corp/simple/",
    ],
)
def test_repositories_and_hosts_of_a_domain_share_one_credential(url: str, provider: Provider) -> None:
    assert feed_with(provider).key() == feed_with(provider, parse_url(url)).key()
    assert feed_with(provider).identity == DEFAULT_IDENTITY


def test_domains_and_identities_share_none(provider: Provider) -> None:
    feeds: list[tuple[Url, dict[str, str]]] = [
        (URL, {}),
        (CHINESE, {}),
        (URL, {"profile": "work"}),
        (URL, {"role": ROLE}),
        (URL, {"profile": "work", "role": ROLE}),
        (URL, {"duration": "1h"}),
    ]

    assert len({feed_with(provider, url, **keys).key() for url, keys in feeds}) == len(feeds)


async def test_a_token_of_another_program_is_read_where_it_is(provider: Provider, workshop: Workshop) -> None:
    """`CODEARTIFACT_AUTH_TOKEN` of AWS's and uv's guides."""
    workshop.environ["CODEARTIFACT_AUTH_TOKEN"] = "s3cret"
    feed = feed_with(provider, secret="env:CODEARTIFACT_AUTH_TOKEN", username="aws")

    credential = await provider.obtain(feed, READ)

    assert (credential.username, credential.secret.reveal()) == ("aws", "s3cret")
    assert credential.source == "env:CODEARTIFACT_AUTH_TOKEN"
    assert feed.key() != feed_with(provider).key()


@pytest.mark.parametrize("has_cli", [True, False])
async def test_nobody_signed_in_is_told_where_the_cli_is_here(
    has_cli: bool, provider: Provider, workshop: Workshop
) -> None:
    """A learned feed is silent where nothing on the machine could sign in, and there alone."""
    if has_cli:
        workshop.script("aws", "exit 255")

    with pytest.raises(SignInNeeded, match="nobody is signed in to AWS") as raised:
        await provider.obtain(feed_with(provider), READ)

    assert isinstance(raised.value, NoSource) is not has_cli
    assert (raised.value.hint, raised.value.drops_token) == ("aws sso login", True)


async def test_an_aws_cli_that_cannot_be_run_is_told_in_place_of_a_sign_in_with_it(
    provider: Provider, workshop: Workshop
) -> None:
    """Here boto3 asks, and the line to type would be one for the CLI."""
    (workshop.folder / "aws").symlink_to("/no/such/aws")
    workshop.environ["PATH"] = str(workshop.folder)

    with pytest.raises(
        Refused, match=r"aws cannot be run: .* is a link to /no/such/aws, which is missing"
    ) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert type_line(raised.value.hint, workshop.environ).returncode == 127


def test_a_vpc_endpoint_names_the_region() -> None:
    own = CodeArtifactSettings(domain="team", owner="123456789012")

    host = "vpce-1.d.codeartifact.us-west-2.vpce.amazonaws.com"
    assert domain_of(Realm("codeartifact", f"https://{host}"), own, host).region == "us-west-2"


@pytest.mark.parametrize(("written", "seconds"), [("15m", 900), ("12h", 43200), ("0s", 0), (None, None)])
def test_a_duration_is_one_that_aws_gives(written: str | None, seconds: int | None) -> None:
    assert CodeArtifactSettings.model_validate({"duration": written}).duration == seconds


@pytest.mark.parametrize(
    "keys",
    [
        {"duration": "1m"},
        {"duration": "13h"},
        {"duration": "long"},
        {"role": "reader"},
        {"profile": "--debug"},
        {"domain": "team"},
        {"domain": "team", "owner": "acme", "region": "eu-west-1"},
    ],
)
def test_settings_that_aws_would_not_take_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CodeArtifactSettings.model_validate(keys)


@pytest.mark.parametrize("change", [Home.key, Home.sso])
def test_a_new_sign_in_changes_the_marks(change: object, provider: Provider, workshop: Workshop) -> None:
    assert callable(change)
    home, feed = Home(workshop.home), feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    change(home)

    assert provider.sign_in_fingerprint(feed) != before


def test_a_renewed_session_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    Home(workshop.home).sso()
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    (kept,) = (workshop.home / ".aws" / "sso" / "cache").iterdir()
    os.utime(kept, (1, 1))

    assert provider.sign_in_fingerprint(feed) != before


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN"])
def test_a_variable_that_chooses_who_signs_in_changes_the_marks(
    variable: str, provider: Provider, workshop: Workshop
) -> None:
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    workshop.environ[variable] = "another"

    assert provider.sign_in_fingerprint(feed) != before


WORDS = {
    "Enter MFA code for arn:aws:iam::1:mfa/me:": "AWS wants a second factor",
    "EOFError: EOF when reading a line": "AWS wants a second factor",
    "The config profile (work) could not be found": "AWS has no such profile",
    "LoginRefreshRequired: Your session has expired": "the AWS sign-in has expired",
    "Error when retrieving token from sso: Token has expired and refresh failed": "the AWS SSO session",
}


@pytest.mark.parametrize(("words", "says"), WORDS.items())
def test_what_only_a_person_can_give_says_how(words: str, says: str) -> None:
    failure = failure_of("aws", words, "my work")

    assert isinstance(failure, SignInNeeded)
    assert failure.detail.startswith(says)
    assert failure.hint is not None
    assert failure.hint.endswith(" --profile 'my work'")


@pytest.mark.parametrize(
    "words",
    [
        "Could not connect to the endpoint URL: https://sts.eu-west-1.amazonaws.com/",
        "Error when retrieving credentials from custom-process: boom",
        "An error occurred (ThrottlingException) when calling the AssumeRole operation: slow down",
        "Segmentation fault",
    ],
)
def test_what_may_pass_by_itself_asks_nobody_to_sign_in(words: str) -> None:
    assert isinstance(failure_of("aws", words, None), Unavailable)


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"authorizationToken": None}, "something else than a token"),
        ({"authorizationToken": 5}, "something else than a token"),
        ({"authorizationToken": "t", "expiration": "soon"}, "an end of its token that cannot be read"),
        ({"authorizationToken": "t", "expiration": "2026-11-21T21:00:00"}, "an end of its token"),
    ],
)
async def test_what_is_no_token_or_has_no_readable_end_is_not_handed_out(
    told: object, complaint: str, provider: Provider, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")
    workshop.printer("aws", json.dumps(told))

    with pytest.raises(Unavailable, match=f"^aws printed {complaint}"):
        await provider.obtain(feed_with(provider), READ)


async def test_a_failed_fork_is_no_missing_aws(
    provider: Provider, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")
    workshop.printer("aws", "{}")
    monkeypatch.setattr("subprocess.Popen", no_more_processes)

    with pytest.raises(Unavailable, match=r"^aws could not be started: .* no more processes"):
        await provider.obtain(feed_with(provider), READ)
