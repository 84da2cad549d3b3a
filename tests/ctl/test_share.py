"""`brokerctl share` as it is typed, against a broker that says what a test wrote down."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.ctl.found_feeds import at, feed
from tests.ctl.found_feeds import broker as seen
from tests.ctl.stand_in import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

FOLDER = "/run/user/1000/token-broker/shares/dev"


def shared(**changes: object) -> dict[str, Any]:
    return {
        "name": "dev",
        "feeds": ["corp", "tools"],
        "folder": FOLDER,
        "socket": f"{FOLDER}/broker.sock",
        "state": "open",
        "ends_at": at(28800),
        "left_s": 28799,
        "renewal": "brokerctl share --feed corp --feed tools --for 8h --name dev",
        **changes,
    }


def test_a_share_prints_its_folder_the_container_line_and_its_end(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers |= {
        "POST /v1/shares/dev": (200, shared()),
        "GET /v1/status": (200, seen(feed("corp"), feed("tools"))),
    }

    ended = brokerctl("share", "--feed", "corp", "--feed", "tools", "--for", "8h", "--name", "dev")

    assert (ended.exit_code, ended.stderr) == (0, "")
    first, blank, *lines = ended.stdout.splitlines()
    assert (first[:29], blank) == ("dev: corp, tools for 8 h, unt", "")
    user, mount = f"{os.geteuid()}:{os.getegid()}", f"{FOLDER}:/run/broker:ro"
    variable = "TOKEN_BROKER_SOCKET=/run/broker/broker.sock"
    podman = "--user 0:0" if os.geteuid() == 0 else "--userns=keep-id"
    assert lines == [
        f"  folder  {FOLDER}",
        f"  docker  docker run --user {user} -v {mount} -e {variable} IMAGE",
        f"  podman  podman run {podman} -v {mount} -e {variable} IMAGE",
        "  end     brokerctl share --end dev",
    ]
    assert broker.queries[0]["for"] == "28800.000"


def test_a_share_without_a_name_has_its_first_feeds(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers |= {"POST /v1/shares/corp": (200, shared(name="corp")), "GET /v1/status": (200, seen())}

    assert brokerctl("share", "--feed", "corp").exit_code == 0


def test_a_password_without_an_end_is_warned_of(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers |= {
        "POST /v1/shares/dev": (200, shared()),
        "GET /v1/status": (200, seen(feed("corp"), feed("tools", left_s=None), feed("pat", left_s=None))),
    }

    ended = brokerctl("share", "--feed", "corp", "--feed", "tools", "--name", "dev")

    assert (
        ended.stderr
        == "\ntools: this password never expires: anyone who reads it through the share keeps it\n"
    )


def test_the_list_shows_who_gets_what_until_when(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    old = shared(name="old", state="ended", ends_at="2020-01-01T00:00:00Z", left_s=0)
    broker.answers["GET /v1/shares"] = 200, {"shares": [shared(), old]}

    lines = brokerctl("share", "--list").stdout.splitlines()

    assert lines[:2] == ["share dev: corp, tools, 7 h 59 min left", f"  folder  {FOLDER}"]
    assert lines[2].startswith("share old: corp, tools, ended ")
    assert lines[2].endswith("d ago   brokerctl share --feed corp --feed tools --for 8h --name dev")


def test_nothing_shared_is_said(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/shares"] = 200, {"shares": []}

    assert brokerctl("share", "--list").stdout == "nothing is shared\n"


def test_the_end_says_what_stays(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/shares/dev/end"] = 200, {"shares": []}

    assert brokerctl("share", "--end", "dev").stdout == "dev: ended; the folder stays for its next share\n"


def test_a_refusal_is_printed_with_its_hint(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/shares/nope"] = problem(
        404, "no-feed", "there is no feed called nope", hint="brokerctl status"
    )

    ended = brokerctl("share", "--feed", "nope")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "token-broker: there is no feed called nope; run: brokerctl status\n"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--feed", "corp", "--list"),
        ("--list", "--end", "dev"),
        ("--feed", "corp", "--for", "soon"),
        ("--feed", "corp", "--for", "8d"),
        ("--feed", "corp", "--for", "0s"),
        ("--feed", "corp", "--name", "../etc"),
        ("--feed", "a b"),
        ("--end", ""),
        ("--end", "a/b"),
        ("--end", "\udcff"),
    ],
)
def test_what_makes_no_sense_is_usage_and_nobody_is_asked(
    broker: StandInBroker, brokerctl: Brokerctl, words: tuple[str, ...]
) -> None:
    assert brokerctl("share", *words).exit_code == 2
    assert broker.asked == []


def test_status_shows_shares_below_the_feeds(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/status"] = 200, seen(feed("corp"), shares=[shared()])

    assert "\n\nshare dev: corp, tools, 7 h 59 min left\n" in brokerctl("status").stdout
