"""Shares over time: over the daemon's end, over their own, and when a container tampers with its folder."""

import json
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.failures import Unavailable
from broker.core.feeds import Feed, Realm
from broker.core.share_grant import LINGER_S, MOST
from broker.core.urls import parse_url
from broker.daemon.shares import Shares
from broker.server.listener_spec import ListenerSpec
from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.fake_clock import FakeClock

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
HOUR_S = 3600.0


class FakeAcceptor:
    """An acceptor that says whether it is open."""

    def __init__(self, spec: ListenerSpec) -> None:
        self.spec = spec
        self.is_open = True

    def close(self) -> None:
        """Accept nothing more."""
        self.is_open = False


class Daemon:
    """One daemon's shares, and the acceptors that it opened."""

    def __init__(self, base: Path, clock: FakeClock, program: Path | None = None) -> None:
        self.acceptors: list[FakeAcceptor] = []
        self.shares = Shares(base, 1001, clock=clock, feed_named={"corp": CORP}.get, program=program)
        self.shares.begin(self._open)

    def _open(self, spec: ListenerSpec) -> FakeAcceptor:
        self.acceptors.append(FakeAcceptor(spec))
        return self.acceptors[-1]


@pytest.fixture
def base() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def daemon(base: Path, clock: FakeClock) -> Iterator[Daemon]:
    made = Daemon(base, clock)
    yield made
    made.shares.close()


def test_a_share_outlives_the_daemon(daemon: Daemon, base: Path, clock: FakeClock) -> None:
    before = daemon.shares.grant("dev", ["corp"], HOUR_S)
    daemon.shares.close()
    after = Daemon(base, clock)
    listed, granted = after.shares.listed(), after.shares.present("dev")
    serves = (base / "shares" / "dev" / "broker.sock").is_socket()
    after.shares.close()

    assert listed == (before,)
    assert granted.feeds == (CORP,)
    assert serves
    assert not (base / "shares" / "dev" / "broker.sock").exists()


async def test_no_life_is_won_by_a_restart(daemon: Daemon, base: Path, clock: FakeClock) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)
    daemon.shares.close()
    clock.set_wall(-HOUR_S)
    await clock.advance(HOUR_S)
    after = Daemon(base, clock)
    (listed,) = after.shares.listed()
    after.shares.close()

    assert (listed.state, listed.left_s) == ("ended", 0)


def test_what_was_ended_stays_ended_and_says_so(daemon: Daemon, base: Path, clock: FakeClock) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)
    daemon.shares.end("dev")
    ended = daemon.shares.present("dev").ends.reached(clock.now())
    daemon.shares.close()
    after = Daemon(base, clock)
    (listed,) = after.shares.listed()
    serves = (base / "shares" / "dev" / "broker.sock").is_socket()
    after.shares.close()

    assert ended
    assert (listed.state, listed.left_s, serves) == ("ended", 0, True)
    assert listed.renewal == "brokerctl share --feed corp --for 1h --name dev"


def test_a_change_that_cannot_be_written_down_is_made_and_told(daemon: Daemon, base: Path) -> None:
    daemon.shares.grant("old", ["corp"], HOUR_S)
    (base / "shares" / "granted.json").unlink()
    (base / "shares" / "granted.json").mkdir()

    with pytest.raises(Unavailable, match="forgotten when the broker ends"):
        daemon.shares.end("old")
    with pytest.raises(Unavailable, match="forgotten when the broker ends"):
        daemon.shares.grant("new", ["corp"], HOUR_S)

    assert {each.name: each.state for each in daemon.shares.listed()} == {"old": "ended", "new": "open"}


async def test_an_end_is_not_moved_by_a_second_one(daemon: Daemon, clock: FakeClock) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)
    daemon.shares.end("dev")
    (before,) = daemon.shares.listed()
    await clock.advance(HOUR_S)
    daemon.shares.end("dev")

    assert daemon.shares.listed() == (before,)


async def test_an_ended_share_keeps_its_socket_for_a_week(daemon: Daemon, clock: FakeClock) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)
    await clock.advance(HOUR_S)
    daemon.shares.look()
    (ended,) = daemon.shares.listed()
    assert (ended.state, daemon.shares.are_in_use()) == ("ended", False)
    assert daemon.acceptors[0].is_open

    clock.suspend(LINGER_S)
    daemon.shares.look()

    assert daemon.shares.listed() == ()
    assert not daemon.acceptors[0].is_open


def test_a_socket_that_a_container_removed_is_made_anew(daemon: Daemon) -> None:
    made = daemon.shares.grant("dev", ["corp"], HOUR_S)
    Path(made.socket).unlink()

    daemon.shares.look()

    assert Path(made.socket).is_socket()
    assert [door.is_open for door in daemon.acceptors] == [False, True]


def test_a_folder_that_a_container_put_in_the_sockets_way_costs_its_share_alone(
    daemon: Daemon, base: Path, clock: FakeClock
) -> None:
    for name in ("dev", "labs"):
        daemon.shares.grant(name, ["corp"], HOUR_S)
    (base / "shares" / "dev" / "broker.soc~").mkdir()
    (base / "shares" / "dev" / "broker.sock").unlink()
    daemon.shares.look()
    here = [share.name for share in daemon.shares.listed()]
    daemon.shares.close()
    after = Daemon(base, clock)
    there = [share.name for share in after.shares.listed()]
    after.shares.close()

    assert (here, there) == (["labs"], ["labs"])


def test_who_changes_uids_in_a_container_gets_no_second_limit(daemon: Daemon) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)

    assert len({daemon.acceptors[-1].spec.account_of(uid) for uid in (0, 1001, 65534)}) == 1


def test_a_feed_that_is_gone_from_the_configuration_is_not_shared_any_more(
    base: Path, clock: FakeClock
) -> None:
    feeds = {"corp": CORP}
    shares = Shares(base, 1001, clock=clock, feed_named=feeds.get)
    shares.begin(FakeAcceptor)
    shares.grant("dev", ["corp"], HOUR_S)
    feeds.clear()
    granted = shares.present("dev")
    shares.close()

    assert granted.feeds == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '[{"name": "../../x"}]', "null", '{"a": 1}'])
def test_a_memo_that_no_daemon_wrote_shares_nothing(base: Path, clock: FakeClock, text: str) -> None:
    (base / "shares").mkdir(mode=0o700)
    (base / "shares" / "granted.json").write_text(text)

    assert Daemon(base, clock).shares.listed() == ()


def test_no_secret_is_in_the_memo(daemon: Daemon, base: Path) -> None:
    daemon.shares.grant("dev", ["corp"], HOUR_S)

    (record,) = json.loads((base / "shares" / "granted.json").read_text())
    assert set(record) == {"name", "feeds", "for_s", "ends_at", "ends_boot_s"}


def test_there_is_a_limit_to_what_one_daemon_holds_open(daemon: Daemon) -> None:
    for number in range(MOST):
        daemon.shares.grant(f"s{number}", ["corp"], HOUR_S)

    with pytest.raises(Exception, match=f"{MOST} shares already"):
        daemon.shares.grant("one-more", ["corp"], HOUR_S)
    assert daemon.shares.grant("s0", ["corp"], 2 * HOUR_S).left_s == 2 * HOUR_S


async def test_a_share_that_ended_makes_room_for_a_new_one(daemon: Daemon, clock: FakeClock) -> None:
    for number in range(MOST):
        daemon.shares.grant(f"s{number}", ["corp"], HOUR_S)
        await clock.advance(1)
    daemon.shares.end("s5")
    await clock.advance(1)
    daemon.shares.end("s3")

    daemon.shares.grant("one-more", ["corp"], HOUR_S)

    assert {each.name for each in daemon.shares.listed()} == {
        *(f"s{number}" for number in range(MOST) if number != 5),
        "one-more",
    }


SHIM = Path(sysconfig.get_path("scripts")) / "keyring-shim"


def test_a_share_has_a_keyring_that_asks_it_where_the_environment_was_cleaned(
    base: Path, clock: FakeClock
) -> None:
    daemon = Daemon(base, clock, SHIM)
    folder = Path(daemon.shares.grant("dev", ["corp"], HOUR_S).folder)
    daemon.shares.close()  # a broker that a test scripts answers at its place
    with ScriptedBroker(folder / "broker.sock").will(credential("me", "of the share")):
        ended = subprocess.run(
            ["keyring", "get", "https://feed.example/corp/simple/", "me"],
            env={"PATH": str(folder / "bin")},
            capture_output=True,
            check=False,
            timeout=60,
        )

    assert (ended.stdout, ended.stderr) == (b"of the share\n", b"")
    assert not (folder / "bin" / "keyring").is_symlink()  # a container sees nothing outside of the folder


def test_the_next_daemon_puts_its_own_keyring_there(base: Path, clock: FakeClock) -> None:
    older, newer = base / "older", base / "newer"
    older.write_text("older")
    newer.write_text("newer")
    before = Daemon(base, clock, older)
    folder = Path(before.shares.grant("dev", ["corp"], HOUR_S).folder)
    before.shares.close()
    Daemon(base, clock, newer).shares.close()

    assert (folder / "bin" / "keyring").read_text() == "newer"
    assert [path.name for path in (folder / "bin").iterdir()] == ["keyring"]


@pytest.mark.parametrize("planted", ["bin", "bin/keyring", "bin/.keyring.new"])
def test_a_keyring_is_written_through_no_link_of_a_containers(
    base: Path, clock: FakeClock, planted: str
) -> None:
    program, outside = base / "program", base / "outside"
    program.write_text("shim")
    outside.mkdir()
    (outside / "keyring").write_text("mine")
    link = base / "shares" / "dev" / planted
    link.parent.mkdir(parents=True, mode=0o700)
    for made in (base / "shares", base / "shares" / "dev", link.parent):
        made.chmod(0o700)
    link.symlink_to(outside if planted == "bin" else outside / "keyring")
    daemon = Daemon(base, clock, program)
    granted = daemon.shares.grant("dev", ["corp"], HOUR_S)
    daemon.shares.close()

    assert granted.state == "open"
    assert (outside / "keyring").read_text() == "mine"
