"""brokerctl login and logout with the real daemon and the real azure-identity, against the fake Entra."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, TENANT, USER, Household, feed
from tests.e2e.patience import PATIENCE_S, until
from tests.e2e.wire import request_bytes
from tests.fakes.browser import Browser
from tests.fakes.tokens import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.brokerd import Brokerd
    from tests.fakes.entra import Entra

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
SECOND_FEED = AZURE_FEED.replace("/corp/", "/tools/")
REVOKED = "the sign-in was revoked, by a changed password for example (AADSTS50173)"
DESKTOP = f"""#!{sys.executable} -I
import sys
with open({{heard!r}}, "a") as heard:
    heard.write(" | ".join(sys.argv[-2:]).replace("\\n", " | ") + "\\n")
"""


@pytest.fixture
def entra(house: Household) -> Entra:
    """The directory; nobody is signed in to az, and every token of a sign-in is to be renewed at once."""
    house.az.sign_out()
    house.configure(feed("corp", AZURE_FEED) + feed("tools", SECOND_FEED))
    house.cloud.entra.lifetime_s = 200
    return house.cloud.entra


@pytest.fixture
def notices(house: Household) -> Path:
    """What the user's desktop has shown, a line each."""
    heard = house.folder / "notices"
    heard.touch()
    program = house.bin / "notify-send"
    program.write_text(DESKTOP.format(heard=str(heard)))
    program.chmod(0o755)
    house.environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
    return heard


@contextmanager
def brokerctl(house: Household, *words: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command of the user's, while it runs."""
    with subprocess.Popen(
        [BROKERCTL, *words],
        env={**house.environment, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def sign_in(house: Household, *words: str, name: str = USER) -> str:
    """Sign in with a code; returns what was shown."""
    entra, number = house.cloud.entra, len(house.cloud.entra.devices) + 1
    with brokerctl(house, "login", "corp", "--device-code", *words) as login:
        until(lambda: len(entra.devices) == number, "device code")
        entra.approve(f"FAKE{number:05}", Account(name, TENANT))
        shown, said = login.communicate(timeout=PATIENCE_S)
        assert login.returncode == 0, said
    return shown


@pytest.mark.usefixtures("entra")
def test_a_code_signs_in_and_every_feed_of_the_organisation_is_ready(house: Household) -> None:
    with house.forked_brokerd() as broker:
        assert house.keyring("get", AZURE_FEED, "dev").exit_code == 1
        shown = sign_in(house)
        answer = house.keyring("get", SECOND_FEED, "dev")
        corp, tools = broker.wire.status()["feeds"]

    assert shown.splitlines()[0].startswith(
        "To sign in, open  https://microsoft.com/devicelogin  and enter  FAKE00001   (14 min left)"
    )
    assert shown.splitlines()[-1] == "✓ corp and tools are ready"
    assert (answer.exit_code, answer.stdout.strip()) == (0, house.acme.issued.entries[-1].value)
    assert (corp["source"], corp["account"], tools["shares"]) == ("device-code", USER, "corp")


def test_a_browser_signs_in_that_only_the_shell_opens(house: Household, entra: Entra) -> None:
    entra.browser_account = Account(USER, TENANT)
    browser = Browser(house.folder / "browser")
    with (
        house.forked_brokerd() as broker,
        brokerctl(house, "login", "corp", **browser.environment) as login,
    ):
        shown, said = login.communicate(timeout=PATIENCE_S)
        source = broker.wire.feed("corp")["source"]

    assert (login.returncode, said) == (0, "")
    assert shown.startswith("To sign in, use the page that your browser shows   (")
    assert len(browser.opened) == 1
    assert source == "browser"


@pytest.mark.long
def test_a_code_that_is_declined_is_exit_4(house: Household, entra: Entra) -> None:
    with house.brokerd(), brokerctl(house, "login", "corp", "--device-code") as login:
        until(lambda: entra.devices, "device code")
        entra.decline("FAKE00001")
        _, said = login.communicate(timeout=PATIENCE_S)

    assert (login.returncode, said) == (
        4,
        "token-broker: the sign-in was declined\n",
    )


@pytest.mark.long
def test_ctrl_c_gives_up_and_a_later_approval_changes_nothing(house: Household, entra: Entra) -> None:
    with house.brokerd() as broker:
        with brokerctl(house, "login", "corp", "--device-code") as login:
            until(lambda: len(entra.requests) > 0, "question whether the code was approved")
            waiting = threads(broker)
            login.send_signal(signal.SIGINT)
            _, said = login.communicate(timeout=PATIENCE_S)
        entra.approve("FAKE00001", Account(USER, TENANT))
        until(lambda: threads(broker) < waiting, "end of the waiting thread")

        assert (login.returncode, said) == (130, "token-broker: the sign-in was given up\n")
        assert not [request for request in entra.requests if request.code is None]
        assert broker.wire.feed("corp")["usable"] is False


@pytest.mark.long
def test_the_daemon_ends_in_time_while_somebody_signs_in(house: Household, entra: Entra) -> None:
    with house.brokerd() as broker, brokerctl(house, "login", "corp", "--device-code") as login:
        until(lambda: entra.devices, "device code")
        assert broker.end() == 0
        _, said = login.communicate(timeout=PATIENCE_S)

    assert (login.returncode, said) == (
        1,
        "token-broker: the broker ends before anybody has signed in; run: brokerctl start\n",
    )


def test_a_revoked_sign_in_is_told_once_on_the_desktop_and_no_look_up_prompts(
    house: Household, entra: Entra, notices: Path
) -> None:
    with house.forked_brokerd() as broker:
        until(notices.read_text, "notice that nobody has signed in")
        sign_in(house)
        notices.write_text("")
        entra.signed_out.add(USER)
        assert broker.wire.post("/v1/feeds/corp/refresh").status == 401
        outcomes = [house.keyring("get", AZURE_FEED, "dev") for _ in range(3)]
        status = broker.wire.feed("corp")
        until(notices.read_text, "notice")

    assert [(one.exit_code, one.stdout) for one in outcomes] == [(1, "")] * 3
    assert {one.stderr for one in outcomes} == {f"token-broker: corp: {REVOKED}; run: brokerctl login corp\n"}
    assert (status["state"], status["hint"]) == ("sign-in-needed", "brokerctl login corp")
    assert notices.read_text() == f"corp: sign-in needed | {REVOKED} | brokerctl login corp\n"
    assert len(entra.devices) == 1


@pytest.mark.long
def test_a_sign_in_in_memory_survives_a_reload_and_not_a_restart(house: Household, entra: Entra) -> None:
    with house.brokerd() as broker:
        assert "in the broker's memory until it ends" in sign_in(house)
        house.configure(feed("corp", AZURE_FEED))
        assert broker.wire.post("/v1/reload").status == 200
        reloaded = broker.wire.post("/v1/feeds/corp/refresh")
    with house.brokerd() as broker:
        restarted = broker.wire.post("/v1/feeds/corp/refresh")

    assert (reloaded.status, restarted.status) == (200, 401)
    assert len(entra.devices) == 1


def test_a_sign_in_in_a_file_survives_a_restart_until_it_is_ended(house: Household, entra: Entra) -> None:
    with house.forked_brokerd():
        assert "in plain text" in sign_in(house, "--store=file")
    with house.forked_brokerd() as broker:
        restarted = broker.wire.post("/v1/feeds/corp/refresh")
        with brokerctl(house, "logout", "corp") as logout:
            shown, _ = logout.communicate(timeout=PATIENCE_S)
        states = {each["state"] for each in broker.wire.status()["feeds"]}
        after = house.keyring("get", AZURE_FEED, "dev")

    assert restarted.status == 200
    assert shown.startswith(f"corp: tokens dropped; {USER} is signed out\n · ")
    assert states == {"empty"}
    assert after.exit_code == 1
    assert not [path for path in (house.home / ".IdentityService").rglob("*") if path.is_file()]
    assert len(entra.devices) == 1


@pytest.mark.long
def test_a_provider_with_a_sign_in_of_its_own_says_which(house: Household) -> None:
    house.configure(house.plain_feed())
    with house.brokerd(), brokerctl(house, "login", "plain") as login:
        _, said = login.communicate(timeout=PATIENCE_S)

    assert (login.returncode, said.count("\n")) == (1, 1)
    assert "takes a secret that its configuration names" in said


def test_no_line_of_a_sign_in_and_no_log_holds_a_secret(house: Household, entra: Entra) -> None:
    with house.forked_brokerd() as broker:
        with broker.wire.connect() as connection:
            connection.sendall(request_bytes("POST", "/v1/feeds/corp/login?ways=device-code"))
            until(lambda: entra.devices, "device code")
            entra.approve("FAKE00001", Account(USER, TENANT))
            said = b""
            while b"0\r\n\r\n" not in said:
                said += connection.recv(65536)
        tokens = house.tokens

    steps = [json.loads(line)["step"] for line in said.decode().splitlines() if line.startswith("{")]
    assert steps == ["page", "signed-in", "feed", "feed"]
    assert len(tokens) >= 2
    assert not [token for token in tokens if token in said.decode() + broker.log]
    assert "device-code-1" not in said.decode() + broker.log


def threads(broker: Brokerd) -> int:
    """How many threads the daemon has."""
    return len(list(Path(f"/proc/{broker.pid}/task").iterdir()))
