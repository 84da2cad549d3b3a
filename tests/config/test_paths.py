from pathlib import Path

import pytest

from broker.config.paths import SITE, config_paths
from broker.core.failures import BadConfiguration

HOME = Path("/home/ann")


@pytest.mark.parametrize(
    ("option", "environ", "user"),
    [
        (None, {}, "/home/ann/.config/token-broker/config.toml"),
        (None, {"XDG_CONFIG_HOME": ""}, "/home/ann/.config/token-broker/config.toml"),
        (None, {"XDG_CONFIG_HOME": "relative"}, "/home/ann/.config/token-broker/config.toml"),
        (None, {"XDG_CONFIG_HOME": "/x"}, "/x/token-broker/config.toml"),
        (None, {"XDG_CONFIG_HOME": "/x", "TOKEN_BROKER_CONFIG": ""}, "/x/token-broker/config.toml"),
        (None, {"XDG_CONFIG_HOME": "/x", "TOKEN_BROKER_CONFIG": "/y/c.toml"}, "/y/c.toml"),
        ("/z/c.toml", {"XDG_CONFIG_HOME": "/x", "TOKEN_BROKER_CONFIG": "/y/c.toml"}, "/z/c.toml"),
    ],
)
def test_the_configuration_is_where_it_was_named(
    option: str | None, environ: dict[str, str], user: str
) -> None:
    paths = config_paths(option, environ, HOME)

    assert paths.user == Path(user)
    assert paths.env == Path(user).parent / "env.toml"
    assert paths.site == SITE
    assert paths.named == ("c.toml" in user)


@pytest.mark.parametrize(
    ("option", "user"), [(None, "/etc/token-broker/system.toml"), ("/z/c.toml", "/z/c.toml")]
)
def test_the_system_broker_has_a_file_of_its_own_over_the_sites(option: str | None, user: str) -> None:
    paths = config_paths(option, {"XDG_CONFIG_HOME": "/x"}, HOME, system=True)

    assert (paths.user, paths.site) == (Path(user), SITE)


def test_a_named_path_stays_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    paths = config_paths("mine.toml", {}, HOME)

    assert paths.user == tmp_path / "mine.toml"


def test_the_home_of_a_user_who_is_not_there_is_told() -> None:
    with pytest.raises(BadConfiguration, match="names a user who is not there"):
        config_paths("~no-such-user/config.toml", {}, Path("/home/me"))


def test_a_relative_path_in_a_directory_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(BadConfiguration, match="the working directory is gone"):
        config_paths("config.toml", {}, Path("/home/me"))
    assert config_paths("/etc/config.toml", {}, Path("/home/me")).user == Path("/etc/config.toml")
