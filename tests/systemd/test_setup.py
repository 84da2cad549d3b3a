"""`brokerctl setup` under a real systemd in homes of other kinds than the one of `test_after_setup.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import tree
from tests.systemd.account import CONFIG, FEED, FEED_CONFIG, SERVICE_UNIT, TOKEN, UNITS, Account
from tests.systemd.machine import until
from tests.systemd.set_up import APPS, feed_of_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.machine import Machine

SANDBOX = f"{UNITS}/{SERVICE_UNIT}.d/50-sandbox.conf"


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
    alice.write(CONFIG, feed_of_command("/bin/cat", str(hidden)), 0o600)

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
