"""`brokerctl setup` under a real systemd, as an ordinary user would type it. Next: `test_after_setup.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import tree
from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.systemd.account import CONFIG, FEED, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, TOKEN, UNITS, Account
from tests.systemd.installation import PREFIX, UV
from tests.systemd.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.machine import Machine

SANDBOX = f"{UNITS}/{SERVICE_UNIT}.d/50-sandbox.conf"
WANTED = f"{UNITS}/sockets.target.wants/{SOCKET_UNIT}"
APPS = PREFIX.partition("/")[0]


def command_feed(*argv: str) -> str:
    words = ", ".join(f'"{word}"' for word in argv)
    return FEED_CONFIG.replace(f'"/bin/echo", "{TOKEN}"', words)


@pytest.fixture
def bob(booted: Machine) -> Iterator[Account]:
    """Bob, whose service manager may make no user namespaces, as on Ubuntu 24.04."""
    rule = booted.root / "run/systemd/system/user@1002.service.d/no-namespaces.conf"
    rule.parent.mkdir(parents=True)
    rule.write_text("[Service]\nRestrictNamespaces=~user\n")
    booted.run("root", "systemctl", "daemon-reload")
    booted.run("root", "systemctl", "restart", "user@1002.service")
    account = Account(booted, "bob")
    account.install()
    yield account
    account.clear()


def test_first_install_with_uv_starts_the_daemon_and_succeeds(alice: Account) -> None:
    password = "sesame-of-the-index"
    with WebServer(PackageIndex([wheel("demo-package", "1.0")], passwords=[password])) as server:
        feed = f"{server.url}/simple/"
        alice.write(CONFIG, command_feed("/bin/echo", password).replace(FEED, feed), 0o600)
        alice.set_up()
        before = alice.show("ActiveState")
        alice.run(UV, "venv", "--quiet", "--python", alice.bin / "python", "project")

        index = feed.replace("://", "://user@")
        alice.run(
            *(UV, "pip", "install", "--python", "project", "--index-url", index, "demo-package"),
            environment=alice.path,
        )

    assert before == "inactive"
    assert alice.show("ActiveState") == "active"


def test_every_file_that_setup_makes_was_shown_before_it_was_made(alice: Account) -> None:
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    before = files_of(alice)

    planned = alice.set_up("--dry-run").stdout
    untouched = files_of(alice)
    ended = alice.set_up()

    assert untouched == before
    made = files_of(alice) - before
    assert f"{UNITS}/{SOCKET_UNIT}" in made
    assert [path for path in sorted(made - {WANTED}) if f"~/{path}" not in planned] == []
    assert f"would enable {SOCKET_UNIT}" in planned, "which makes the link of sockets.target"
    assert "would" not in alice.set_up("--dry-run").stdout
    assert "off: the service stops when you log out" in " ".join(ended.stdout.split())


def files_of(account: Account) -> set[str]:
    """The files and links of a home, but for the installation and for what setup keeps to undo it."""
    aside = account.home / APPS, account.home / ".local/share/token-broker/setup"
    return {
        str(path.relative_to(account.home))
        for path in account.home.rglob("*")
        if not path.is_dir() and not any(path.is_relative_to(each) for each in aside)
    }


def test_sandbox_shows_nothing_of_the_home_but_what_is_needed(alice: Account) -> None:
    alice.write(".ssh/id", "secret")
    probe = alice.write("feeds/probe", HOME_PROBE, 0o755)
    alice.write(CONFIG, command_feed(str(probe)), 0o600)
    alice.set_up()
    (alice.home / "left-behind").unlink()  # by the probe outside

    seen = alice.look_up().stdout.split()

    assert seen == ["ssh=hidden", "azure=open", "config=closed", "tmp=own", "socket=seen", "nnp=1"]
    assert not (alice.home / "left-behind").exists()


HOME_PROBE = """#!/bin/sh
can() { if touch "$1/probe" 2>/dev/null; then rm "$1/probe"; echo open; else echo closed; fi; }
is() { if [ -e "$1" ]; then echo seen; else echo hidden; fi; }
touch ~/left-behind 2>/dev/null
others=$(ls -A /tmp | grep -v token-broker)
echo "ssh=$(is ~/.ssh)" "azure=$(can ~/.azure)" "config=$(can ~/.config/token-broker)" \\
  "tmp=$([ -z "$others" ] && echo own || echo shared)" \\
  "socket=$(is $XDG_RUNTIME_DIR/token-broker/broker.sock)" \\
  "nnp=$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)"
"""


@pytest.mark.long
def test_socket_that_was_removed_is_made_anew_from_inside_the_sandbox(alice: Account) -> None:
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.set_up()
    alice.look_up()
    assert (alice.home / SANDBOX).exists()
    (alice.runtime / "token-broker" / "broker.sock").unlink()

    until(lambda: alice.look_up(check=False).exit_code == 0, "answer by the new socket")


@pytest.mark.long
def test_sandbox_in_which_a_sign_in_fails_is_not_kept_and_the_sign_in_is_named(alice: Account) -> None:
    hidden = alice.write("elsewhere/token", TOKEN)
    alice.write(CONFIG, command_feed("/bin/cat", str(hidden)), 0o600)

    ended = alice.set_up()

    assert "· sandbox    not used, feed packages: fine outside," in ended.stdout
    assert not (alice.home / SANDBOX).exists()
    assert alice.look_up().stdout == f"{TOKEN}\n"


@pytest.mark.long
def test_feed_that_is_added_finds_its_secret_inside_the_sandbox(alice: Account) -> None:
    alice.set_up()
    alice.write("secrets/feed", "sesame", 0o600)

    added = alice.brokerctl(
        *("add", FEED, "--provider", "basic", "--username", "user", "--secret", "file:~/secrets/feed")
    )

    assert "its sandbox shows the folders of other sign-ins now" in added.stdout
    assert alice.look_up().stdout == "sesame\n"


@pytest.mark.long
def test_where_no_user_may_make_namespaces_the_service_runs_without_the_sandbox(bob: Account) -> None:
    bob.write(CONFIG, FEED_CONFIG, 0o600)

    ended = bob.set_up()

    assert "not used, this machine lets no user make namespaces; exposure" in ended.stdout
    assert bob.look_up().stdout == f"{TOKEN}\n"


@pytest.mark.long
def test_configuration_of_the_site_is_believed_inside_the_sandbox(alice: Account) -> None:
    site = alice.machine.root / "etc/token-broker/config.toml"
    site.parent.mkdir(exist_ok=True)
    site.write_text(FEED_CONFIG)
    try:
        ended = alice.set_up()
        answer = alice.look_up()
    finally:
        alice.machine.run("root", "rm", "-r", "/etc/token-broker")

    assert "✓ sandbox" in ended.stdout
    assert answer.stdout == f"{TOKEN}\n"


@pytest.mark.long
@pytest.mark.parametrize("undo", ["teardown", "script"])
def test_home_is_afterwards_as_it_was_before(alice: Account, undo: str) -> None:
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.write(".local/bin/keyring", "#!/bin/sh\necho foreign\n", 0o755)
    before = tree(alice.home, without=(APPS,))
    alice.set_up("--replace")
    alice.look_up()

    if undo == "teardown":
        alice.brokerctl("teardown")
    else:
        alice.run("sh", ".local/share/token-broker/setup/undo.sh")

    assert tree(alice.home, without=(APPS,)) == before
    assert alice.show("LoadState") == "not-found"
    assert not (alice.runtime / "token-broker" / "broker.sock").exists()


@pytest.mark.long
def test_broker_that_a_look_up_had_started_gives_way(alice: Account) -> None:
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.run(alice.bin / "keyring-shim", "get", FEED, "user")
    before = alice.brokerctl("status", "--json").stdout

    alice.set_up()
    answer = alice.look_up()

    assert answer.stdout == f"{TOKEN}\n"
    assert f'"pid": {alice.pid()},' not in before
    until(lambda: "brokerd" not in alice.run("ps", "-C", "brokerd", "-o", "args=", check=False).stdout, "end")
