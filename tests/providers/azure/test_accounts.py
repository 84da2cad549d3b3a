"""Whose sign-in a feed is configured for: another account is told apart, and may sign in beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.failures import SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.providers.azure.azure_cli import account_login, folder_of
from tests.fakes.az import OFFLINE
from tests.fakes.az_program import Conduct
from tests.providers.azure.feeds import LOGIN, PERSON, TENANT, feed_with

if TYPE_CHECKING:
    from broker.providers.protocol import Provider
    from tests.fakes.az import AzureCli

BOSS = "Boss@acme.example"


@pytest.fixture
def bosses(signed_in: AzureCli) -> AzureCli:
    """An az where the boss has signed in beside the usual person."""
    signed_in.sign_in(BOSS, [TENANT], config_dir=folder_of(signed_in.environment, BOSS))
    return signed_in


@pytest.mark.usefixtures("bosses", "acme")
async def test_two_accounts_are_signed_in_at_once(provider: Provider) -> None:
    boss = await provider.obtain(feed_with(account=BOSS), READ)
    person = await provider.obtain(feed_with(), READ)

    assert (boss.account, person.account) == (BOSS, PERSON)


@pytest.mark.usefixtures("signed_in", "acme")
async def test_the_line_that_is_shown_signs_the_account_in(provider: Provider, az: AzureCli) -> None:
    feed = feed_with(account=BOSS)
    with pytest.raises(SignInNeeded) as raised:
        await provider.obtain(feed, READ)
    before = provider.sign_in_fingerprint(feed)
    variable, _, folder = (raised.value.hint or "").partition(" ")[0].partition("=")
    az.sign_in(BOSS, [TENANT], config_dir=az.config_dir.with_name(folder.rpartition("/")[2]))

    assert raised.value.hint == f"AZURE_CONFIG_DIR={az.config_dir}-boss@acme.example {LOGIN}"
    assert variable == "AZURE_CONFIG_DIR"
    assert provider.sign_in_fingerprint(feed) != before
    assert (await provider.obtain(feed, READ)).account == BOSS


@pytest.mark.usefixtures("acme")
async def test_an_account_that_signed_out_of_its_folder_is_told_so(
    provider: Provider, bosses: AzureCli
) -> None:
    bosses.sign_out(folder_of(bosses.environment, BOSS))

    with pytest.raises(SignInNeeded, match="az is signed out") as raised:
        await provider.obtain(feed_with(account=BOSS), READ)

    assert raised.value.hint == f"AZURE_CONFIG_DIR={bosses.config_dir}-boss@acme.example {LOGIN}"
    assert raised.value.drops_token


@pytest.mark.usefixtures("acme")
async def test_what_the_usual_person_does_is_no_news_to_the_other_account(
    provider: Provider, bosses: AzureCli
) -> None:
    before = provider.sign_in_fingerprint(feed_with(account=BOSS))
    bosses.sign_out()

    assert provider.sign_in_fingerprint(feed_with(account=BOSS)) == before


@pytest.mark.parametrize(
    ("folder", "account", "shown"),
    [
        (None, "dev@acme.example", "AZURE_CONFIG_DIR=~/.azure-dev@acme.example"),
        ("/srv/my azure/", "dev@acme.example", "AZURE_CONFIG_DIR='/srv/my azure-dev@acme.example'"),
        ("~/other", "a/../b", "AZURE_CONFIG_DIR=~/other-a%2F..%2Fb"),
        (None, "x; rm -rf ~", "AZURE_CONFIG_DIR=~/'.azure-x%3B%20rm%20-rf%20~'"),
    ],
)
def test_an_accounts_folder_is_one_word_beside_the_usual_one(
    folder: str | None, account: str, shown: str
) -> None:
    environ = {"HOME": "/home/dev"} | ({} if folder is None else {"AZURE_CONFIG_DIR": folder})

    assert account_login(environ, account, TENANT) == f"{shown} {LOGIN}"
    assert folder_of(environ, account).parent.as_posix() in {"/home/dev", "/srv"}


@pytest.mark.usefixtures("bosses", "acme")
async def test_only_a_command_of_azs_own_is_led_to_the_accounts_folder(
    provider: Provider, az: AzureCli
) -> None:
    az.behave(Conduct("fail", complaint=OFFLINE))

    with pytest.raises(Unavailable) as raised:
        await provider.obtain(feed_with(account=BOSS), READ)

    assert raised.value.hint == "brokerctl doctor"
