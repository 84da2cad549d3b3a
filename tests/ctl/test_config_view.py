"""What brokerctl takes for configured: the daemon's view of all files, and what is said where it has none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from broker.config.paths import ConfigPaths
from broker.ctl.command_error import CommandError
from broker.ctl.config_view import config_of, config_with, configured, names_in, variables_of
from tests.ctl.homes import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ctl.clinic import Clinic

SITES = """
[env]
A = "site"
B = "site"

[[feed]]
name = "shared"
url = "https://shared.example/"
provider = "basic"
secret = "netrc"
"""
OVERRIDE = '[[feed]]\nname = "shared"\nusername = "me"\n'


@pytest.fixture
def paths(tmp_path: Path) -> ConfigPaths:
    """A site's file and nothing else."""
    write(tmp_path / "site.toml", SITES)
    return ConfigPaths(tmp_path / "config.toml", tmp_path / "env.toml", tmp_path / "site.toml")


def test_files_are_merged_by_name(paths: ConfigPaths) -> None:
    write(paths.env, '[env]\nB = "env"\n')
    write(paths.user, OVERRIDE)

    config = config_of(paths)

    assert [feed.own_keys for feed in config.feeds] == [{"secret": "netrc", "username": "me"}]
    assert config.env == {"A": "site", "B": "env"}


def test_text_that_a_file_is_to_have_is_merged_as_well(paths: ConfigPaths) -> None:
    write(paths.user, "ttl = ")

    config = config_with(OVERRIDE, paths, "config.toml")

    assert [feed.own_keys for feed in config.feeds] == [{"secret": "netrc", "username": "me"}]


def test_names_are_those_of_the_text_alone() -> None:
    text = f'{OVERRIDE}[[feed]]\nurl = "https://packages.example/libs/simple/"\n'

    assert names_in(text, "config.toml") == ["shared", "libs"]


def test_variables_of_one_file_are_those_of_no_other(paths: ConfigPaths) -> None:
    write(paths.env, '[env]\nB = "env"\n')

    assert variables_of("env", paths) == {"B": "env"}
    assert variables_of("site", paths) == {"A": "site", "B": "site"}


def test_file_that_is_broken_has_no_variables(paths: ConfigPaths) -> None:
    write(paths.env, "[env")

    assert variables_of("env", paths) == {}


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("ttl = \n", 0o600, "config.toml, line 1: not TOML: invalid value"),
        ('[[feed]]\nname = "x"\n', 0o600, "config.toml, line 1: a feed needs a url, written in quotes"),
        ("", 0o666, "config.toml can be written by others (mode 0666)"),
    ],
)
def test_files_that_the_daemon_refuses_count_as_none_and_the_reason_is_told(
    clinic: Clinic, text: str, mode: int, said: str
) -> None:
    clinic.configure_site(SITES)
    clinic.write("~/.config/token-broker/config.toml", text, mode)

    found = configured(clinic.room().user_dirs)

    assert found.config.feeds == ()
    assert found.failure is not None
    assert found.failure.detail.endswith(said)


def test_no_file_says_what_an_empty_one_says(tmp_path: Path) -> None:
    absent = ConfigPaths(tmp_path / "config.toml", tmp_path / "env.toml", tmp_path / "site.toml")

    assert config_of(absent) == config_with("", absent, "config.toml")


def test_file_that_was_named_must_be_there(paths: ConfigPaths) -> None:
    assert len(config_of(paths).feeds) == 1
    with pytest.raises(CommandError, match="does not exist"):
        config_of(replace(paths, user=paths.user.with_name("absent.toml"), named=True))
