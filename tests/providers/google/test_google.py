import base64
import json
import os

import pytest
from pydantic import ValidationError

from broker.core.failures import Refused, Unavailable
from broker.core.feeds import DEFAULT_IDENTITY, READ, Feed
from broker.providers.google.provider import GoogleSettings, read_answer
from broker.providers.protocol import Provider, SignsInElsewhere
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.fakes.google import (
    ROBOT,
    USER,
    Files,
    service_account_key,
)
from tests.providers.google.feeds import ELSEWHERE, HELPER, URL, feed_with
from tests.providers.programs import Workshop, hanging


class TestGoogleKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self, provider: Provider, workshop: Workshop) -> Feed:
        workshop.printer("gcloud", json.dumps(HELPER))
        return feed_with(provider, account=USER)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.printer("gcloud", "s3cret", complaint="invalid_grant s3cret", code=1)
        not_json = workshop.file("not.json", "s3cret")
        workshop.environ["NOT_A_KEY"] = "s3cret"
        return {
            "gcloud": feed_with(provider, account=USER),
            "a file that is none": feed_with(provider, credentials=str(not_json)),
            "no file": feed_with(provider, credentials="~/absent.json"),
            "no key": feed_with(provider, secret="env:NOT_A_KEY"),
            "no secret": feed_with(provider, secret="env:ABSENT"),
        }

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("gcloud")
        workshop.environ["PATH"] += ":/usr/bin:/bin"  # where sleep is
        return hanging(feed_with(provider, account=USER), workshop)

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"credentials": "~/robot.json", "impersonate": ROBOT}


async def test_a_key_with_equals_signs_at_its_end_arrives_whole(
    provider: Provider, workshop: Workshop
) -> None:
    content = json.dumps(service_account_key())
    content += " " * (-(len(content) + 2) % 3)  # two short of a whole group: `==` at the end
    key = base64.b64encode(content.encode()).decode()
    workshop.environ["KEY"] = key
    feed = feed_with(provider, secret="env:KEY")

    credential = await provider.obtain(feed, READ)

    assert key.endswith("==")
    assert credential.secret.reveal() == key
    assert (credential.username, credential.account) == ("_json_key_base64", ROBOT)
    assert not feed.answers("oauth2accesstoken")


@pytest.mark.parametrize("damage", ["lost padding", "percent-encoded", "not encoded", "another kind"])
async def test_a_damaged_key_is_refused_before_anybody_sends_it(
    damage: str, provider: Provider, workshop: Workshop
) -> None:
    encoded = base64.b64encode(b'{"type": "service_account"}').decode()
    workshop.environ["KEY"] = {
        "lost padding": base64.b64encode(b'{"type": "service_account" }').decode().rstrip("="),
        "percent-encoded": encoded.replace("=", "%3D") + "%3D",
        "not encoded": '{"type": "service_account"}',
        "another kind": base64.b64encode(b'{"type": "authorized_user"}').decode(),
    }[damage]

    with pytest.raises(Refused, match="not a service account's key in base64"):
        await provider.obtain(feed_with(provider, secret="env:KEY"), READ)


async def test_a_key_in_broken_lines_says_how_it_is_encoded(provider: Provider, workshop: Workshop) -> None:
    encoded = base64.encodebytes(json.dumps(service_account_key()).encode())
    workshop.file("key", encoded)

    with pytest.raises(Refused, match="one line") as raised:
        await provider.obtain(feed_with(provider, secret="file:~/key"), READ)

    assert raised.value.hint == "base64 < KEY.json | tr -d '\\n'"


def test_feeds_of_every_location_share_one_credential(provider: Provider) -> None:
    assert feed_with(provider).key() == feed_with(provider, ELSEWHERE).key()
    assert feed_with(provider).identity == DEFAULT_IDENTITY


def test_feeds_of_different_identities_share_none(provider: Provider) -> None:
    settings: list[dict[str, str]] = [
        {},
        {"account": USER},
        {"impersonate": ROBOT},
        {"credentials": "~/a.json"},
        {"credentials": "~/b.json"},
        {"credentials": "~/b.json", "impersonate": ROBOT},
        {"secret": "env:KEY"},
    ]

    assert len({feed_with(provider, URL, **keys).key() for keys in settings}) == len(settings)


@pytest.mark.parametrize(
    "keys",
    [
        {"secret": "env:KEY", "account": USER},
        {"credentials": "~/a.json", "account": USER},
        {"credentials": "a.json"},
        {"account": "--quiet"},
        {"account": "somebody"},
        {"secret": "ya29.plain"},
    ],
)
def test_settings_that_contradict_themselves_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GoogleSettings.model_validate(keys)


def _signed_in_again(files: Files, _: Workshop) -> None:
    files.user()


def _account_changed(_: Files, workshop: Workshop) -> None:
    sentinel = workshop.home / ".config" / "gcloud" / "config_sentinel"
    sentinel.parent.mkdir(parents=True)
    sentinel.touch()


def _variable_set(_: Files, workshop: Workshop) -> None:
    workshop.environ["CLOUDSDK_ACTIVE_CONFIG_NAME"] = "work"


@pytest.mark.parametrize("change", [_signed_in_again, _account_changed, _variable_set])
def test_a_new_sign_in_changes_the_marks(
    change: object, provider: Provider, files: Files, workshop: Workshop
) -> None:
    assert callable(change)
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    change(files, workshop)

    assert provider.sign_in_fingerprint(feed) != before


def test_a_replaced_key_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    key = workshop.file("key", "old")
    feed = feed_with(provider, secret=f"file:{key}")
    before = provider.sign_in_fingerprint(feed)

    os.utime(key, (1, 1))

    assert provider.sign_in_fingerprint(feed) != before


def test_a_username_may_be_written_as_googles_page_does() -> None:
    """Both stand in Google's page "Set up authentication to Python package repositories"."""
    assert GoogleSettings.model_validate({"secret": "env:KEY", "username": "_json_key_base64"}).secret
    assert GoogleSettings.model_validate({"username": "oauth2accesstoken"}).secret is None
    for keys in ({"username": "_json_key_base64"}, {"secret": "env:KEY", "username": "oauth2accesstoken"}):
        with pytest.raises(ValidationError, match="goes with a key in secret"):
            GoogleSettings.model_validate(keys)


def test_a_token_without_an_end_is_no_endless_one() -> None:
    """Gcloud with CLOUDSDK_AUTH_ACCESS_TOKEN_FILE (gcloud 528)."""
    printed = json.dumps({"credential": {"access_token": "t", "token_expiry": None}})

    assert read_answer(printed.encode(), "gcloud").is_end_unknown


def test_a_new_token_in_gclouds_file_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    workshop.environ["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] = str(workshop.file("token", "one"))
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    workshop.file("token", "another")

    assert provider.sign_in_fingerprint(feed) != before


@pytest.mark.parametrize("token", [None, "", 5, True, [], {"s3cret": 1}, "a\nb"])
def test_what_is_no_token_is_not_handed_out(token: object) -> None:
    printed = json.dumps({"credential": {"access_token": token}})

    with pytest.raises(Unavailable, match=r'something else than a token: {"credential": {"access_tok'):
        read_answer(printed.encode(), "gcloud")


@pytest.mark.parametrize("end", ["", "soon", "2026-11-21T10:00:00", 1e300, [], "0001-01-01T00:00:00+14:00"])
def test_an_end_that_cannot_be_read_is_not_taken_for_none(end: object) -> None:
    printed = json.dumps({"credential": {"access_token": "t", "token_expiry": end}})

    with pytest.raises(Unavailable, match=r"^gcloud printed an end of its token that cannot be read$"):
        read_answer(printed.encode(), "gcloud")


def test_a_token_without_an_end_is_taken() -> None:
    assert read_answer(b'{"credential": {"access_token": "t"}}', "gcloud").expires_at is None


def test_the_line_that_signs_in_is_safe_to_paste(provider: Provider) -> None:
    feed = feed_with(provider, account="a$(b)@acme.example")

    assert isinstance(provider, SignsInElsewhere)
    assert provider.sign_in_line(feed) == "gcloud auth login 'a$(b)@acme.example'"
