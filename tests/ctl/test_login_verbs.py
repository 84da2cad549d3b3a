from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from broker.core.login_progress import LoginMethod
from broker.ctl.login_verbs import usual_ways
from tests.ctl.stand_in import problem
from tests.e2e.patience import PATIENCE_S, until
from tests.fakes.browser import Browser

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

LOGIN = "POST /v1/feeds/corp/login"
CODE = {
    "step": "page",
    "url": "https://login.example/device",
    "code": "ABCD-EFGH",
    "expires_at": "2099-01-01T00:00:00Z",
}
PAGE = {**CODE, "url": "https://login.example/authorize?a=b", "code": None}
DONE = {"step": "signed-in", "account": "dev@acme.example", "kept": "secret-store"}


def feed(name: str, state: str = "fresh", detail: str | None = None, hint: str | None = None) -> object:
    usable = state == "fresh"
    return {"step": "feed", "feed": name, "usable": usable, "state": state, "detail": detail, "hint": hint}


def lines(*steps: object) -> bytes:
    return "".join(json.dumps(step) + "\n" for step in steps).encode()


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """The shell's browser."""
    made = Browser(tmp_path / "browser")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_code_is_shown_with_its_page_and_then_what_is_ready(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers[LOGIN] = 200, lines(CODE, DONE, feed("corp"), feed("tools"))

    ended = brokerctl("login", "corp")

    first, *rest = ended.stdout.splitlines()
    assert first.startswith("To sign in, open  https://login.example/device  and enter  ABCD-EFGH   (")
    assert first.endswith(" left)")
    assert rest == [
        "✓ signed in as dev@acme.example",
        " · kept in the system's secret store",
        "✓ corp and tools are ready",
    ]
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert broker.queries == [{"ways": "device-code", "in_file": "false"}]


def test_a_sign_in_in_memory_says_so_and_what_would_keep_it(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers[LOGIN] = 200, lines(CODE, {**DONE, "kept": "memory"}, feed("corp"))

    said = brokerctl("login", "corp").stdout

    assert "in the broker's memory until it ends" in said
    assert "--store=file" in said


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (("--browser",), {"ways": "browser", "in_file": "false"}),
        (("--device-code",), {"ways": "device-code", "in_file": "false"}),
        (("--store=file",), {"ways": "device-code", "in_file": "true"}),
    ],
)
def test_what_was_asked_for_reaches_the_broker(
    words: tuple[str, ...], query: dict[str, str], broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers[LOGIN] = 200, lines(DONE, feed("corp"))
    brokerctl("login", "corp", *words)

    assert broker.queries == [query]


@pytest.mark.parametrize(
    ("environ", "first"),
    [
        ({}, LoginMethod.DEVICE_CODE),
        ({"DISPLAY": ":0"}, LoginMethod.BROWSER),
        ({"WAYLAND_DISPLAY": "wayland-0"}, LoginMethod.BROWSER),
        ({"BROWSER": "firefox"}, LoginMethod.BROWSER),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, LoginMethod.DEVICE_CODE),
        ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/0"}, LoginMethod.DEVICE_CODE),
        ({"DISPLAY": ":0", "TOKEN_BROKER_TRUST_UID": "1000"}, LoginMethod.DEVICE_CODE),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has a browser in every shell of its own")
def test_a_browser_is_used_where_the_person_would_see_it(environ: dict[str, str], first: LoginMethod) -> None:
    assert usual_ways(environ)[0] is first


@pytest.mark.parametrize(("url", "is_opened"), [(PAGE["url"], True), ("file:///etc/passwd", False)])
def test_a_page_is_opened_with_the_shells_browser_if_it_is_one(
    url: str, is_opened: bool, broker: StandInBroker, brokerctl: Brokerctl, browser: Browser
) -> None:
    broker.answers[LOGIN] = 200, lines({**PAGE, "url": url}, DONE, feed("corp"))

    ended = brokerctl("login", "corp")

    assert broker.queries[0]["ways"] == "browser,device-code"
    if is_opened:
        until(lambda: browser.opened == [url], "page in the browser")
    else:
        assert browser.opened == []
        assert "No browser could be started" in ended.stdout


@pytest.mark.parametrize(
    ("steps", "exit_code", "said"),
    [
        (
            [CODE, {"step": "failed", "type": "sign-in-needed", "detail": "declined", "hint": "again"}],
            4,
            "token-broker: declined; run: again\n",
        ),
        (
            [{"step": "failed", "type": "unavailable", "detail": "no way out", "hint": None}],
            1,
            "token-broker: no way out\n",
        ),
        (
            [DONE, feed("corp"), feed("labs", "refused", "no right", "ask")],
            1,
            "token-broker: labs: no right; run: ask\n",
        ),
        (
            [DONE, feed("corp", "sign-in-needed", "again", "login")],
            4,
            "token-broker: corp: again; run: login\n",
        ),
        ([CODE], 1, "token-broker: the broker ended before anybody has signed in; run: brokerctl start\n"),
    ],
)
def test_how_it_ended_is_the_exit_code_and_one_line(
    steps: list[object], exit_code: int, said: str, broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers[LOGIN] = 200, lines(*steps)
    ended = brokerctl("login", "corp")

    assert (ended.exit_code, ended.stderr) == (exit_code, said)


def test_a_feed_that_signs_in_elsewhere_says_where(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers[LOGIN] = problem(
        400, "bad-request", "google has a sign-in of its own", hint="gcloud auth login", feed="corp"
    )
    ended = brokerctl("login", "corp")

    assert ended.exit_code == 1
    assert ended.stderr == ("token-broker: corp: google has a sign-in of its own; run: gcloud auth login\n")


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [(("--browser", "--device-code"), 2), (("--store=cloud",), 2), ((), 3)],
)
def test_a_command_that_cannot_begin(words: tuple[str, ...], exit_code: int, brokerctl: Brokerctl) -> None:
    assert brokerctl("login", "corp", *words).exit_code == exit_code


def test_ctrl_c_gives_the_sign_in_up_and_hangs_up(broker: StandInBroker) -> None:
    asked, over = threading.Event(), threading.Event()

    def waiting(_: dict[str, str]) -> tuple[int, bytes]:
        asked.set()
        over.wait(PATIENCE_S)
        return 200, b""

    broker.answers[LOGIN] = waiting
    login = subprocess.Popen(
        [sys.executable, "-m", "broker.ctl.app", "login", "corp"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        assert asked.wait(PATIENCE_S)
        login.send_signal(signal.SIGINT)
        _, said = login.communicate(timeout=PATIENCE_S)
    finally:
        over.set()
        login.kill()
        login.wait()

    assert (login.returncode, said) == (130, "token-broker: the sign-in was given up\n")


def test_signing_out_says_who_and_what_remains(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/feeds/corp/logout"] = (
        200,
        {"step": "signed-out", "account": "dev@acme.example", "remains": ["a token", "a session"]},
    )

    ended = brokerctl("logout", "corp")

    assert ended.stdout == "corp: tokens dropped; dev@acme.example is signed out\n · a token\n · a session\n"


def test_signing_out_where_nobody_had_signed_in(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/feeds/corp/logout"] = 200, {"step": "signed-out", "account": None, "remains": []}

    assert "no sign-in of brokerctl login was there" in brokerctl("logout", "corp").stdout
