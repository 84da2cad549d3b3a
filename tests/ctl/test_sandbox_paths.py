"""What of a home the sandbox shows, and how the units say it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.config_view import configured
from broker.ctl.setup.environment import env_text, recorded
from broker.ctl.setup.sandbox_paths import SandboxPaths
from broker.ctl.setup.unit_files import Installation, View, sandbox, service_unit, socket_unit
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from collections.abc import Callable

ALWAYS = [".azure", ".azd", ".IdentityService"]
BASIC = 'provider = "basic"'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def view_of(home: Path, config: str = "", **environ: str) -> View:
    path = home / ".config" / "token-broker" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config)
    user_dirs = UserDirs(home, {"PATH": "/usr/bin:/bin", **environ})
    return SandboxPaths(user_dirs, configured(user_dirs).config, [home / "apps"]).view()


def feed(*lines: str, url: str = "https://packages.example/simple/") -> str:
    return "\n".join(["[[feed]]", f'url = "{url}"', *lines])


def script(path: Path, interpreter: str = "/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("config", "writable", "readable"),
    [
        ("", ALWAYS, []),
        (feed('provider = "google"'), [*ALWAYS, ".config/gcloud"], []),
        (feed(url="https://europe-python.pkg.dev/p/r/simple/"), [*ALWAYS, ".config/gcloud"], []),
        (feed('provider = "codeartifact"'), [*ALWAYS, ".aws"], []),
        (feed(BASIC, 'secret = "file:~/secrets/feed"'), ALWAYS, ["secrets"]),
        (feed(BASIC, 'secret = "file:~/.azure/pat"'), ALWAYS, []),
        (
            feed(BASIC, 'secret = "keyring:x"'),
            ALWAYS,
            [".local/share/keyrings", ".local/share/python_keyring"],
        ),
        ('ca = "~/certificates/ca.pem"', ALWAYS, ["certificates"]),
        (
            feed(BASIC, 'refresh = "file:~/refresh/token"', 'certificate = "~/cert/me.pem"'),
            ALWAYS,
            ["refresh", "cert"],
        ),
        (feed('provider = "azure"', 'account = "Dev+1@acme.com"'), [*ALWAYS, ".azure-dev%2B1@acme.com"], []),
        ("[[feed]\n", ALWAYS, []),
        ("feed = 1", ALWAYS, []),
    ],
)
def test_folders_of_sign_ins_and_secrets_are_shown(
    home: Path, config: str, writable: list[str], readable: list[str]
) -> None:
    view = view_of(home, config)

    assert set(view.writable) == {home / each for each in writable}
    assert {home / each for each in ["apps", ".config/token-broker", *readable]} <= set(view.readable)
    assert not view.keeps_home


@pytest.mark.parametrize("key", ["secret", "refresh"])
@pytest.mark.parametrize("secret", ["netrc", "file:~/feed-password"])
def test_secret_in_the_home_itself_keeps_the_home_visible(home: Path, secret: str, key: str) -> None:
    assert view_of(home, feed(BASIC, f'{key} = "{secret}"')).keeps_home


def test_variables_move_the_folders(home: Path) -> None:
    view = view_of(home, AZURE_CONFIG_DIR=str(home / "azure"), SSL_CERT_FILE=str(home / "ca" / "all.pem"))

    assert home / "azure" in view.writable
    assert home / "ca" in view.readable


def test_sign_in_tool_below_the_home_is_shown_with_its_environment_and_its_interpreter(home: Path) -> None:
    interpreter = script(home / "pythons" / "3.12" / "bin" / "python")
    (home / "tools" / "azure-cli" / "bin").mkdir(parents=True)
    (home / "tools" / "azure-cli" / "bin" / "python").symlink_to(interpreter)
    az = script(home / "tools" / "azure-cli" / "bin" / "az", f"{home}/tools/azure-cli/bin/python")
    (home / "bin").mkdir()
    (home / "bin" / "az").symlink_to(az)

    view = view_of(home, PATH=f"{home}/bin:/usr/bin")

    assert {home / "bin", home / "tools" / "azure-cli", home / "pythons" / "3.12"} <= set(view.readable)


@pytest.mark.parametrize(
    "line",
    [
        "command = ['~/feeds/print-token']",
        "secret = 'command:~/feeds/print-token --now'",
        "refresh = 'command:~/feeds/print-token --now'",
    ],
)
def test_folder_of_a_configured_command_is_shown(home: Path, line: str) -> None:
    script(home / "feeds" / "print-token")

    assert home / "feeds" in view_of(home, feed(BASIC, line)).readable


def test_configuration_that_is_a_link_is_shown_where_it_is(home: Path) -> None:
    view_of(home)
    kept = home / "dotfiles" / "config.toml"
    kept.parent.mkdir()
    kept.write_text("")
    path = home / ".config" / "token-broker" / "config.toml"
    path.unlink()
    path.symlink_to(kept)

    user_dirs = UserDirs(home, {"PATH": "/usr/bin"})
    view = SandboxPaths(user_dirs, configured(user_dirs).config, []).view()

    assert kept.parent in view.readable


def test_sandbox_binds_folders_and_the_sockets_it_needs() -> None:
    text = sandbox(View([Path("/home/a b/.azure")], [Path("/home/a b/100%")]))

    assert "ProtectHome=tmpfs\n" in text
    assert 'BindPaths="-/home/a b/.azure"\n' in text
    assert 'BindReadOnlyPaths="-/home/a b/100%%"\n' in text
    assert "BindPaths=%t/systemd/notify -%t/bus -%t/token-broker/shares\n" in text


def test_sandbox_that_keeps_the_home_lets_only_sign_ins_write() -> None:
    text = sandbox(View([Path("/home/a/.azure")], [Path("/home/a")], keeps_home=True))

    assert "ProtectHome=read-only\n" in text
    assert 'ReadWritePaths="-/home/a/.azure"\n' in text
    assert "Bind" not in text.replace("binds below", "")


def test_units_name_absolute_paths_whatever_is_in_them() -> None:
    text = service_unit(Installation(Path('/a b/100%/"x"/$y/python'), Path("/opt/brokerd")))

    assert 'ExecStart="/a b/100%%/\\"x\\"/$$y/python" -I "/opt/brokerd"\n' in text
    assert "Environment=" not in text.replace("UnsetEnvironment=", "")


def test_units_say_where_the_configuration_and_the_socket_are_when_that_was_chosen() -> None:
    chosen = Installation(Path("/p"), Path("/b"), Path("/s/broker.sock"), {"XDG_CONFIG_HOME": "/c d"})

    assert 'Environment="XDG_CONFIG_HOME=/c d"\n' in service_unit(chosen)
    assert "ListenStream=/s/broker.sock\n" in socket_unit(chosen)


@pytest.mark.parametrize("render", [socket_unit, service_unit])
def test_no_mark_of_a_template_is_left(render: Callable[[Installation], str]) -> None:
    assert "@" not in render(Installation(Path("/p"), Path("/b"))).replace(
        "~@privileged @obsolete", ""
    ).replace("=@system-service", "").replace("@resources", "")


def test_what_the_site_sets_already_is_not_recorded() -> None:
    environ = {"PATH": "/usr/bin", "HTTPS_PROXY": "http://mine:1", "NO_PROXY": "localhost"}

    copied, left_out = recorded(environ, {"HTTPS_PROXY": "http://site:1", "PATH": "/site/bin"})

    assert (copied, left_out) == ({"NO_PROXY": "localhost"}, [])


def test_recorded_values_survive_whatever_is_in_them() -> None:
    import tomllib  # noqa: PLC0415 - the other tests need no TOML

    values = {"PATH": 'C:\\odd"path', "NO_PROXY": "a,'b'"}

    assert tomllib.loads(env_text(values))["env"] == values
