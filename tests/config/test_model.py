"""The configuration: what it says, how layers add up, and what a person reads when it is wrong."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import pytest
from pydantic import BaseModel, model_validator

from broker.config.load import load
from broker.config.model import Config, Layer, Schema
from broker.config.toml_lines import heads_of_feeds
from broker.core.failures import BadConfiguration
from broker.core.feeds import Allow
from broker.core.urls import parse_url
from broker.providers.protocol import Settings
from broker.providers.recognise.feed_name import default_name
from broker.providers.recognise.services import provider_of

CORP = 'url = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"\n'
INTERNAL = 'url = "https://artifactory.example/internal/simple/"\nprovider = "basic"\n'


class AzureSettings(Settings):
    tenant: str | None = None
    token: Literal["session", "entra"] | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.tenant == "t" and self.token == "entra":
            raise ValueError("token and tenant do not go together")
        return self


class BasicSettings(Settings):
    username: str | None = None


MODELS: dict[str, type[BaseModel]] = {"azure": AzureSettings, "basic": BasicSettings}
SCHEMA = Schema(MODELS, provider_of, default_name)


def read(user: str, site: str = "", env: str = "") -> Config:
    layers = [
        Layer(site, "site.toml", "site"),
        Layer(env, "env.toml", "env"),
        Layer(user, "config.toml", "user"),
    ]
    return load(layers, SCHEMA)


def test_no_file_at_all_is_fine() -> None:
    assert load([], SCHEMA) == Config()
    assert Config().ttl_s == 3000


def test_everything_that_can_be_said_is_heard() -> None:
    config = read(
        'ttl = "40m"\nauto = ["azure"]\nidle = "12h"\nca = "/etc/ca.pem"\nlog = "debug"\n'
        '[env]\nHTTPS_PROXY = "http://proxy.example:3128"\n'
        f'[[feed]]\nname = "main"\n{CORP}also = ["https://acme.pkgs.visualstudio.com/"]\n'
        'tenant = "t"\nverify = false\n'
    )

    feed = config.feeds[0]
    assert (config.ttl_s, config.auto, config.idle_s) == (2400, frozenset({"azure"}), 43200)
    assert (config.ca, config.log) == (Path("/etc/ca.pem"), "debug")
    assert config.env == {"HTTPS_PROXY": "http://proxy.example:3128"}
    assert (feed.name, feed.provider, feed.verify) == ("main", "azure", False)
    assert feed.also == (parse_url("https://acme.pkgs.visualstudio.com/"),)
    assert feed.settings == AzureSettings(tenant="t")


def test_name_and_provider_come_from_the_url() -> None:
    feed = read(f"[[feed]]\n{CORP}").feeds[0]

    assert (feed.name, feed.provider) == ("corp", "azure")


def test_two_feeds_whose_urls_give_one_name_get_two() -> None:
    other = CORP.replace("acme", "labs")

    assert [feed.name for feed in read(f"[[feed]]\n{CORP}[[feed]]\n{other}").feeds] == ["corp", "corp-2"]


def test_a_file_of_many_feeds_is_searched_for_their_lines_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def counting(lines: Sequence[str]) -> list[int]:
        searched.append(len(lines))
        return heads_of_feeds(lines)

    monkeypatch.setattr("broker.config.load.heads_of_feeds", counting)
    feeds = [
        f'[[feed]]\nname = "f{n}"\nurl = "https://{n}.example/"\nprovider = "basic"\n' for n in range(50)
    ]

    config = read("".join(feeds))

    assert (sorted(searched), config.feeds[49].place) == ([0, 0, 200], "config.toml line 197")


def test_a_feed_of_the_sites_for_whom_it_allows_is_the_system_brokers() -> None:
    shared = f'[[feed]]\nname = "corp"\n{CORP}allow = {{ groups = ["developers"] }}\n'
    own = f'[[feed]]\nname = "corp"\n{CORP}tenant = "mine"\n'
    site = Layer(shared, "site.toml", "site")

    assert [feed.allow for feed in load([site], SCHEMA, system=True).feeds] == [Allow(groups=("developers",))]
    assert load([site], SCHEMA).feeds == ()
    assert [feed.allow for feed in load([site, Layer(own, "config.toml")], SCHEMA).feeds] == [None]


def test_without_models_a_feeds_own_keys_are_those_of_all_layers() -> None:
    layers = [
        Layer(f'[[feed]]\nname = "corp"\n{CORP}tenant = "theirs"\nnew = [1]\n', "site.toml", "site"),
        Layer('[[feed]]\nname = "corp"\nverify = false\ntenant = "mine"\n', "config.toml"),
    ]

    [feed] = load(layers, Schema({}, provider_of, default_name)).feeds

    assert feed.own_keys == {"tenant": "mine", "new": [1]}
    with pytest.raises(TypeError):
        feed.own_keys["tenant"] = "another"  # type: ignore[index]


@pytest.mark.parametrize(
    ("auto", "learns"),
    [("true", True), ("false", False), ("[]", False), ('["azure"]', True), ('["basic"]', False)],
)
def test_auto_says_whose_feeds_are_learned(auto: str, *, learns: bool) -> None:
    assert read(f"auto = {auto}").learns("azure") is learns


def test_feeds_of_one_name_are_merged_key_by_key_and_the_user_wins() -> None:
    config = read(
        user='ttl = "10m"\n[[feed]]\nname = "corp"\ntenant = "mine"\n',
        site=f'log = "debug"\n[[feed]]\nname = "corp"\n{CORP}tenant = "theirs"\ntoken = "entra"\n',
    )

    assert (config.ttl_s, config.log) == (600, "debug")
    assert config.feeds[0].settings == AzureSettings(tenant="mine", token="entra")


def test_a_feed_of_the_users_takes_the_place_of_the_sites_of_that_address() -> None:
    config = read(
        user=f'[[feed]]\nname = "mine"\n{CORP}tenant = "mine"\n',
        site=f'[[feed]]\nname = "theirs"\n{CORP}tenant = "theirs"\n[[feed]]\n{INTERNAL}',
    )

    assert [feed.name for feed in config.feeds] == ["internal", "mine"]
    assert config.feeds[1].settings == AzureSettings(tenant="mine")


def test_the_users_environment_wins_over_the_recorded_and_the_sites() -> None:
    config = read(
        '[env]\nA = "user"\n',
        site='[env]\nA = "site"\nB = "site"\nC = "site"\n',
        env='[env]\nA = "env"\nB = "env"\n',
    )

    assert config.env == {"A": "user", "B": "env", "C": "site"}


def test_an_unknown_key_in_the_sites_file_only_warns() -> None:
    config = read("", site='later_key = 1\nttl = "10m"\n')

    assert config.ttl_s == 600
    assert config.warnings == ("site.toml: unknown key later_key, ignored",)


def test_provider_that_only_a_later_version_learns_by_itself_warns_in_the_sites_file() -> None:
    config = read("", site='auto = ["azure", "later"]')

    assert config.learns("azure")
    assert config.warnings == ("site.toml: unknown provider later in auto, ignored",)


def test_an_unknown_feed_key_in_the_sites_file_only_warns() -> None:
    config = read("", site=f"[[feed]]\n{CORP}later_key = 1\n")

    assert [feed.name for feed in config.feeds] == ["corp"]
    assert config.warnings == ("site.toml: unknown key later_key of feed corp, ignored",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ttl = 5 5", "config.toml, line 1: not TOML"),
        ("\ufeffauto = true", "config.toml, line 1: begins with a byte order mark"),
        ("\n\n[[feed\n", "config.toml, line 3: not TOML"),
        ('x = "', "config.toml, line 1, its end: not TOML"),
        ('\nttl = "5"', 'config.toml, line 2: ttl: write a duration as a number and a unit, such as "50m"'),
        ('ttl = "100ms"', "config.toml, line 1: ttl: it must be greater than or equal to 1"),
        ('\nca = "/a\\u0000b"', "config.toml, line 2: a NUL character, which no path"),
        ('[[feed]]\nprovider = "x"\n[[feed.a]]\nb = ["", "\\U00000000"]', "config.toml, line 4: a NUL"),
        ('["a\\u0000"]', "config.toml, line 1: a NUL"),
        ("ttl = inf", "config.toml, line 1: ttl: a duration is above 0 and at most 36500d: write a duration"),
        ("ttl = nan", "config.toml, line 1: ttl: a duration is above 0 and at most 36500d"),
        ("ttl = 1e18", "config.toml, line 1: ttl: a duration is above 0 and at most 36500d"),
        ("ttl = true", "config.toml, line 1: ttl: write a duration as a number and a unit"),
        ('ttl = "never"', "config.toml, line 1: ttl: write a duration as a number and a unit"),
        ("ttl = 2026-01-02", "config.toml, line 1: ttl: write a duration as a number and a unit"),
        ('\nidle = "1e400h"', "config.toml, line 2: idle: write a duration as a number and a unit"),
        (f'idle = "{"9" * 400}h"', "config.toml, line 1: idle: no duration is longer than 36500d: write"),
        ("idle = nan", "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ("idle = -inf", "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ("idle = 1e18", "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ("idle = -1", "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ("idle = 0", "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ('idle = "0s"', "config.toml, line 1: idle: a duration is above 0 and at most 36500d"),
        ("idle = false", "config.toml, line 1: idle: write a duration as a number and a unit"),
        ('\nca = "~nosuchuser/x"', "config.toml, line 2: ca: ~nosuchuser is no user with a home"),
        ('tll = "50m"', "config.toml, line 1: unknown key tll, did you mean ttl?"),
        ("[env]\nA = 3", "config.toml, line 2: env.A: write text in quotes"),
        ("env = 3", "config.toml, line 1: env: write a table"),
        ('[env]\n"" = "x"', "config.toml, line 1: env: no program can have a variable without a name"),
        ('ca = ""', "config.toml, line 1: ca: write the path of a file of certificates"),
        ('[env]\nA = "s3cret\\u0000"', "config.toml, line 2: a NUL character"),
        (
            '[env]\n"A=B" = ""',
            "config.toml, line 1: env: no program can have a variable without a name, with =",
        ),
        ("auto = 3", "config.toml, line 1: auto"),
        (
            '\nauto = ["azur"]',
            "config.toml, line 2: auto: there is no provider azur: write one of azure, basic",
        ),
        ('log = "loud"', "config.toml, line 1: log"),
        ("[[feed]]\n", "config.toml, line 1: a feed needs a url"),
        (f"[[feed]]\n{CORP}name = [3]\n", "config.toml, line 3: name: write text in quotes"),
        ("[[feed]]\nurl = 3\n", "config.toml, line 2: a feed needs a url, written in quotes"),
        ('[[feed]]\nurl = "feed.example"\n', "config.toml, line 2: this is a host, not a URL"),
        ('[[feed]]\nurl = "http://feed.example/"\n', "config.toml, line 2: plain http"),
        (
            '[[feed]]\nurl = "https://feed.example/"\n',
            "config.toml, line 1: https://feed.example does not name its provider",
        ),
        (
            f'[[feed]]\n{CORP}provider = "azur"\n',
            "config.toml, line 3: there is no provider azur: write one of azure, basic",
        ),
        (
            f'[[feed]]\n{CORP}\n[[feed]]\n{INTERNAL}usrname = "x"\n',
            "config.toml, line 7: unknown key usrname, did you mean username?",
        ),
        (
            f'[[feed]]\n{CORP}token = "x"\n',
            "config.toml, line 3: token: it must be 'session' or 'entra'",
        ),
        (f'[[feed]]\n{CORP}verify = "no"\n', "config.toml, line 3: verify: write true or false"),
        (f'[[feed]]\nname = "a b"\n{CORP}', "config.toml, line 2: name: write letters, digits"),
        (
            f'[[feed]]\nname = "x"\n{CORP}[[feed]]\nname = "x"\n{INTERNAL}',
            "config.toml, line 5: two feeds are called x",
        ),
        (f"[[feed]]\n{CORP}[[feed]]\nname = 'other'\n{CORP}", "which feed corp has too"),
        (f'[[feed]]\n{CORP}also = ["feed.example"]\n', "config.toml, line 3: also: this is a host"),
        (
            '[[feed]]\nurl = "https://me:s3cret@feed.example/"\nprovider = "basic"\n',
            "line 2: the URL holds a password: leave it out, and say in `secret` where it is: env:",
        ),
        (f'[[feed]]\n{CORP}also = ["https://:s3cret@feed.example/"]\n', "line 3: the URL holds a password"),
        (  # keys that do not go together have no one line
            f'\n[[feed]]\n{CORP}token = "entra"\ntenant = "t"\n',
            "config.toml, line 2: token and tenant do not go together",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_remedy(text: str, message: str) -> None:
    with pytest.raises(BadConfiguration) as raised:
        read(text)

    assert message in raised.value.detail


@pytest.mark.parametrize(
    "text",
    [
        r'"\u001b]0;owned\u0007" = 1',
        f'[[feed]]\n{INTERNAL}"a\\nb" = 1',
        f'[[feed]]\n{INTERNAL}"\\u202e\\u2028" = 1',
        r'[[feed]]{}url = "https://a.example/"{}provider = "\u001b[2J"'.replace("{}", "\n"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_that_moves_no_terminal(text: str) -> None:
    with pytest.raises(BadConfiguration) as raised:
        read(text)

    assert raised.value.detail.isprintable()
    assert str(raised.value) == raised.value.detail


def test_a_wrong_value_is_never_repeated() -> None:
    with pytest.raises(BadConfiguration) as raised:
        read(f'[[feed]]\n{INTERNAL}username = ["TBKTEST-secret"]\n')

    assert "TBKTEST" not in str(raised.value)


def test_without_the_providers_models_their_keys_are_left_unchecked() -> None:
    config = load(
        [Layer(f"[[feed]]\n{CORP}anything = 1\n", "config.toml")], Schema({}, provider_of, default_name)
    )

    assert config.feeds[0].settings is None


def test_a_ca_of_no_users_home_is_told_with_the_file_that_names_it() -> None:
    with pytest.raises(BadConfiguration, match=r"^site.toml, line 1: ca: ~nosuchuser is no user"):
        read(user='log = "info"\n', site='ca = "~nosuchuser/x"\n')


def test_the_words_of_a_providers_own_defect_are_not_told() -> None:
    class Broken(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def _defect(cls, _: object) -> object:
            raise LookupError("s3cret")

    schema = Schema({"azure": Broken}, provider_of, default_name)
    with pytest.raises(BadConfiguration) as raised:
        load([Layer(f"[[feed]]\n{CORP}", "config.toml")], schema)

    assert re.fullmatch(
        r"config.toml, line 1: cannot be used \(LookupError in test_model.py line \d+\): .*",
        raised.value.detail,
    )


def test_no_defect_of_the_reader_leaves_as_anything_but_a_bad_configuration() -> None:
    def defect(_: object) -> str:
        raise MemoryError

    with pytest.raises(BadConfiguration, match=r"^config.toml: cannot be used \(MemoryError in test_model"):
        load([Layer(f"[[feed]]\n{CORP}", "config.toml")], Schema(MODELS, defect, defect))


MONSTERS = {
    "integer of 4,001 digits": (
        f"ttl = {10**4000}",
        "config.toml, line 1: ttl: a duration is above 0 and at most 36500d",
    ),
    "duration of 5,000 digits": (
        f'idle = "{"9" * 5000}h"',
        "config.toml, line 1: idle: no duration is longer than 36500d: write",
    ),
    "integer of 5,000 digits": (
        f"\nttl = {'9' * 5000}",
        "config.toml, line 2: a number has too many digits: write a shorter one",
    ),
    "100,000 brackets": (f"\nx = {'[' * 100_000}", "config.toml, line 2: too many brackets within brackets"),
    "3,000 dots": (
        f"\n{'a.' * 3000}a = 1",
        "config.toml, line 2: a key has a hundred dots: write a shorter one",
    ),
    "3,000 dots in a head": (f"\n[{'a . ' * 3000}a]", "config.toml, line 2: a key has a hundred dots"),
    "100,000 braces": (f"\nx = {'{a=' * 100_000}", "config.toml, line 2: too many brackets within brackets"),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_what_no_program_can_read_is_told_with_its_line(name: str) -> None:
    text, message = MONSTERS[name]

    with pytest.raises(BadConfiguration) as raised:
        read(text)

    assert raised.value.detail.startswith(message)
