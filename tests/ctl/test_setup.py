"""`brokerctl setup` and `teardown` in a home, where no service manager answers."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.found_keyrings import line_that_puts_first
from tests.conftest import ROOT
from tests.ctl.homes import (
    LINK,
    PIP_SETTINGS,
    REPLACED,
    SHIM,
    UV_SETTINGS,
    foreign_keyring,
    foreign_keyring_by_a_relative_link,
    tree,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]
    Furnish = Callable[[Path], None]

BROKERCTL = Path(sys.executable).parent / "brokerctl"
ENV = ".config/token-broker/env.toml"


def test_dry_run_after_the_set_up_has_nothing_to_do(brokerctl: Brokerctl, home: Path) -> None:
    brokerctl("setup")

    ended = brokerctl("setup", "--dry-run")

    assert ended.stdout == "everything is set up already\n"
    assert home.exists()


def test_setup_and_teardown_say_after_ctrl_c_that_a_second_run_does_the_rest(
    brokerctl: Brokerctl, home: Path, tmp_path: Path
) -> None:
    """Both ask systemd in the middle: at Ctrl-C, which is sent here by the program that is asked."""
    before, systemctl = tree(home), tmp_path / "programs" / "systemctl"
    quiet, interrupting = systemctl.read_text(), "#!/bin/sh\nkill -INT $PPID\n"

    def interrupted(verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([BROKERCTL, verb], capture_output=True, text=True, check=False, timeout=60)

    systemctl.write_text(interrupting)
    half_done = interrupted("setup")
    systemctl.write_text(quiet)
    whole, then = brokerctl("setup"), brokerctl("setup", "--dry-run")
    systemctl.write_text(interrupting)
    half_undone = interrupted("teardown")
    systemctl.write_text(quiet)
    undone = brokerctl("teardown")

    assert (half_done.returncode, half_undone.returncode) == (130, 130)
    assert half_done.stderr.startswith("token-broker: interrupted: what was done is on record;")
    assert half_undone.stderr.startswith("token-broker: interrupted: what was undone stays undone;")
    assert (whole.exit_code, then.stdout) == (0, "everything is set up already\n")
    assert (undone.exit_code, tree(home)) == (0, before)


def test_every_file_that_setup_leaves_stands_on_the_page_of_files(brokerctl: Brokerctl, home: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        write(home / ".local/bin" / shell, "", 0o755)
    foreign_keyring(home)
    before = tree(home)
    page = (ROOT / "docs/reference/files.md").read_text()
    told = [home / path for path in re.findall(r"^\| `~/([^`]+)`", page, re.MULTILINE)]

    brokerctl("setup", "--replace")

    made = [home / path for path in tree(home).keys() - before.keys()]
    files = [path for path in made if path.is_symlink() or path.is_file()]
    assert files
    assert [path for path in files if not {path, *path.parents} & set(told)] == []


def test_link_leads_to_this_installations_shim(brokerctl: Brokerctl, home: Path) -> None:
    ended = brokerctl("setup")

    assert (home / LINK).readlink() == SHIM
    assert "(first on PATH" in ended.stdout


def test_shim_that_is_the_slow_one_is_told_with_the_reason(
    brokerctl: Brokerctl, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "pure" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    shutil.copy(ROOT / "client" / "keyring_shim.py", programs / "keyring-shim")
    (programs / "keyring-shim").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))

    said = " ".join(brokerctl("setup", "--no-configure-clients").stdout.split())

    assert (home / LINK).readlink() == programs / "keyring-shim"
    assert "· shim the shim is the slow one, in Python" in said
    assert "built without a C compiler" in said
    assert "uv build --all-packages --out-dir wheels" in said


def test_keyring_of_somebody_else_stays_and_the_way_to_replace_it_is_said(
    brokerctl: Brokerctl, home: Path
) -> None:
    foreign_keyring(home)
    before = (home / LINK).read_bytes()

    ended = brokerctl("setup")

    assert ended.exit_code == 1
    assert "~/.local/bin/keyring is another keyring and stays   brokerctl setup --replace" in ended.stdout
    assert (home / LINK).read_bytes() == before


def test_configuration_that_is_broken_is_told_and_stops_nothing(brokerctl: Brokerctl, home: Path) -> None:
    write(home / ".config/token-broker/config.toml", "ttl = \n", 0o600)

    ended = brokerctl("setup")

    assert "~/.config/token-broker/config.toml, line 1: not TOML" in ended.stdout
    assert (home / LINK).readlink() == SHIM


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

    line = f'export PATH={home}/.local/bin:"$PATH"'
    assert f"but {home}/first/keyring is before it on PATH   {line}" in ended.stdout


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "zsh"])
def test_the_line_puts_the_shim_first_in_each_shell_and_from_an_odd_home(shell: str, tmp_path: Path) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    folder, before = tmp_path / 'it\'s $my "home"; 50%' / "bin", "/opt/two words:/usr/bin:/bin"

    told = subprocess.run(
        [found, "-c", f"{line_that_puts_first(folder)}; env"],
        env={"PATH": before, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"PATH={folder}:{before}" in told.stdout.splitlines()


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


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (UV_SETTINGS, 'keyring-provider = "disabled"\n', "says 'disabled' and stays"),
        (PIP_SETTINGS, "[global]\nkeyring-provider = import\n", "says 'import' and stays"),
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


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (UV_SETTINGS, "keyring-provider = \n", "is not TOML"),
        (UV_SETTINGS, "# \u00fc\n", "is not UTF-8"),
        (PIP_SETTINGS, "timeout = 1\n", "is not an INI file"),
    ],
)
def test_settings_that_no_client_can_read_stay_and_keep_setup_from_nothing_else(
    brokerctl: Brokerctl, home: Path, place: str, text: str, said: str
) -> None:
    write(home / place, "")
    (home / place).write_bytes(text.encode("latin-1"))

    ended = brokerctl("setup")

    assert (home / place).read_bytes() == text.encode("latin-1")
    assert f"~/{place} {said}" in ended.stdout
    assert f"correct ~/{place}" in ended.stdout
    assert (home / ({UV_SETTINGS, PIP_SETTINGS} - {place}).pop()).is_file()
