"""`brokerctl setup` and `teardown` in a home, where no service manager answers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.environment import COPIED, PROXIES
from tests.ctl.homes import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]
    Furnish = Callable[[Path], None]

SHIM = Path(sys.executable).parent / "keyring-shim"
UV_SETTINGS = ".config/uv/uv.toml"
PIP_SETTINGS = ".config/pip/pip.conf"
LINK = ".local/bin/keyring"
REPLACED = ".local/share/token-broker/replaced/keyring"
JOURNAL = ".local/share/token-broker/setup"
ENV = ".config/token-broker/env.toml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of a person whose PATH has ~/.local/bin first, on a machine without systemd."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text("#!/bin/sh\nexit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/.local/bin:{programs}:/usr/bin:/bin")
    for name in (*PROXIES, *COPIED):
        monkeypatch.delenv(name, raising=False)
    return home


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def nothing(_: Path) -> None:
    """An empty home."""


def settings_of_both(home: Path) -> None:
    write(home / UV_SETTINGS, '# mine\noffline = false\n\n[pip]\nstrict = true  # "quoted"\n', 0o600)
    write(home / PIP_SETTINGS, "[global]\ntimeout = 60\n; a comment\n\n[install]\nno-compile = true", 0o640)


def settings_in_a_dotfiles_folder(home: Path) -> None:
    write(home / "dotfiles" / "uv.toml", "offline = false\r\n")
    (home / UV_SETTINGS).parent.mkdir(parents=True)
    (home / UV_SETTINGS).symlink_to("../../dotfiles/uv.toml")


def foreign_keyring(home: Path) -> None:
    write(home / LINK, "#!/bin/sh\necho foreign\n", 0o755)


def foreign_keyring_by_a_relative_link(home: Path) -> None:
    write(home / "apps" / "keyring", "#!/bin/sh\necho foreign\n", 0o755)
    (home / LINK).parent.mkdir(parents=True)
    (home / LINK).symlink_to("../../apps/keyring")


HOMES = [
    nothing,
    settings_of_both,
    settings_in_a_dotfiles_folder,
    foreign_keyring,
    foreign_keyring_by_a_relative_link,
]


@pytest.mark.parametrize("furnish", HOMES)
def test_teardown_leaves_the_home_as_it_was(brokerctl: Brokerctl, home: Path, furnish: Furnish) -> None:
    furnish(home)
    before = tree(home)
    brokerctl("setup", "--replace")
    between = tree(home)

    ended = brokerctl("teardown")

    assert ended.exit_code == 0
    assert between != before
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_undo_script_does_the_same_when_brokerctl_is_gone(
    brokerctl: Brokerctl, home: Path, furnish: Furnish
) -> None:
    furnish(home)
    before = tree(home)
    brokerctl("setup", "--replace")

    done = subprocess.run(
        ["/bin/sh", home / JOURNAL / "undo.sh"], capture_output=True, text=True, check=False, cwd="/"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_doing_it_again_changes_nothing(brokerctl: Brokerctl, home: Path, furnish: Furnish) -> None:
    furnish(home)
    brokerctl("setup", "--replace")
    before = tree(home)

    ended = brokerctl("setup", "--replace")

    assert ended.exit_code == 0
    assert tree(home) == before


@pytest.mark.parametrize("furnish", HOMES)
def test_dry_run_changes_nothing_and_says_what_it_would(
    brokerctl: Brokerctl, home: Path, furnish: Furnish
) -> None:
    furnish(home)
    before = tree(home)

    ended = brokerctl("setup", "--dry-run", "--replace")

    assert tree(home) == before
    assert '+keyring-provider = "subprocess"' in ended.stdout
    assert "would link   ~/.local/bin/keyring" in ended.stdout


def test_dry_run_after_the_set_up_has_nothing_to_do(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")

    ended = brokerctl("setup", "--dry-run")

    assert ended.stdout == "everything is set up already\n"
    assert home.exists()


def test_link_leads_to_this_installations_shim(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("setup")

    assert (home / LINK).readlink() == SHIM
    assert "(first on PATH" in ended.stdout


def test_keyring_of_somebody_else_stays_and_the_way_to_replace_it_is_said(
    brokerctl: Brokerctl, home: Path
) -> None:
    foreign_keyring(home)
    before = (home / LINK).read_bytes()

    ended = brokerctl("setup")

    assert ended.exit_code == 1
    assert "~/.local/bin/keyring is another keyring and stays   brokerctl setup --replace" in ended.stdout
    assert (home / LINK).read_bytes() == before


@pytest.mark.parametrize("furnish", [foreign_keyring, foreign_keyring_by_a_relative_link])
def test_keyring_that_was_replaced_still_gets_what_is_not_ours(
    brokerctl: Brokerctl, home: Path, furnish: Furnish
) -> None:
    furnish(home)

    brokerctl("setup", "--replace")

    asked = subprocess.run(
        [home / LINK, "diagnose"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert asked.stdout == "foreign\n"
    assert (home / REPLACED).exists()


def test_link_to_an_installation_that_is_gone_is_made_anew(brokerctl: Brokerctl, home: Path) -> None:
    (home / LINK).parent.mkdir(parents=True)
    (home / LINK).symlink_to("/gone/bin/keyring-shim")

    ended = brokerctl("setup")

    assert ended.exit_code == 0
    assert (home / LINK).readlink() == SHIM


def test_keyring_before_ours_on_path_is_named_with_the_line_that_cures_it(
    brokerctl: Brokerctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "first" / "keyring", "#!/bin/sh\n", 0o755)
    monkeypatch.setenv("PATH", f"{home}/first:{os.environ['PATH']}")

    ended = brokerctl("setup")

    assert (
        f"but {home}/first/keyring is before it on PATH   export PATH={home}/.local/bin:$PATH" in ended.stdout
    )


def test_later_edits_stay_and_only_our_line_goes(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    for place, line in ((UV_SETTINGS, "offline = true\n"), (PIP_SETTINGS, "timeout = 9\n")):
        (home / place).write_text((home / place).read_text() + line)

    ended = brokerctl("teardown")

    assert (home / UV_SETTINGS).read_text() == "offline = true\n"
    assert (home / PIP_SETTINGS).read_text() == "[global]\ntimeout = 9\n"
    assert ended.stdout.count("was changed since: only our line was taken out") == 2


def test_undo_script_names_what_was_changed_and_leaves_it(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    (home / UV_SETTINGS).write_text((home / UV_SETTINGS).read_text() + "offline = true\n")
    changed = (home / UV_SETTINGS).read_text()

    done = subprocess.run(
        ["/bin/sh", home / JOURNAL / "undo.sh"], capture_output=True, text=True, check=True, cwd="/"
    )

    assert (home / UV_SETTINGS).read_text() == changed
    assert 'our line in it is: keyring-provider = "subprocess"' in done.stdout
    assert not (home / PIP_SETTINGS).exists()


def test_edits_between_two_set_ups_survive_the_teardown(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")
    (home / UV_SETTINGS).write_text("offline = true\n")
    brokerctl("setup")

    brokerctl("teardown")

    assert (home / UV_SETTINGS).read_text() == "offline = true\n"


def test_clients_stay_as_they_are_when_that_is_wanted(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup", "--no-configure-clients")

    assert not (home / UV_SETTINGS).exists()
    assert not (home / PIP_SETTINGS).exists()


def test_environment_that_the_daemon_needs_is_recorded_for_its_owner_alone(
    brokerctl: Brokerctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}::relative/bin:/usr/bin")
    monkeypatch.setenv("AZURE_DEVOPS_EXT_PAT", "a-token")

    brokerctl("setup")

    assert tomllib.loads((home / ENV).read_text())["env"] == {
        "PATH": f"{home}/.local/bin:{home.parent}/programs:/usr/bin:/bin",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }
    assert stat.S_IMODE((home / ENV).stat().st_mode) == 0o600


def test_proxy_with_a_password_is_not_written_down(
    brokerctl: Brokerctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:sesame@proxy.example:3128")

    ended = brokerctl("setup")

    assert "HTTPS_PROXY not: a password is in it" in ended.stdout
    assert "sesame" not in ended.stdout
    assert not [path for path in home.rglob("*") if path.is_file() and b"sesame" in path.read_bytes()]


def test_where_no_service_manager_answers_that_is_said_with_what_still_works(
    brokerctl: Brokerctl, home: Path
) -> None:
    ended = brokerctl("setup")

    assert ended.exit_code == 0
    assert "no systemd answers here: the first look-up starts the broker" in ended.stdout
    assert not (home / ".config/systemd").exists()


def test_teardown_of_nothing_says_so(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("teardown")

    assert (ended.exit_code, ended.stdout) == (0, "nothing was set up here\n")
    assert tree(home) == {}


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (UV_SETTINGS, 'keyring-provider = "disabled"\n', "says 'disabled' and stays"),
        (UV_SETTINGS, "keyring-provider = \n", "is not TOML"),
        (PIP_SETTINGS, "[global]\nkeyring-provider = import\n", "says 'import' and stays"),
        (PIP_SETTINGS, "timeout = 1\n", "is not an INI file"),
    ],
)
def test_settings_that_say_otherwise_stay_with_the_line_to_write(
    brokerctl: Brokerctl, home: Path, place: str, text: str, said: str
) -> None:
    write(home / place, text)

    ended = brokerctl("setup")

    assert (home / place).read_text() == text
    assert said in ended.stdout
    assert f"write into ~/{place}: keyring-provider" in ended.stdout
