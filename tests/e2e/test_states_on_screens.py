"""Every state of a feed on every screen: the same cause and the same line, which repairs it."""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from broker.providers.azure.identities import RESOURCE
from broker.providers.claims_challenge import encoded
from tests.e2e.household import (
    AZURE_FEED,
    PACKAGE,
    PLAIN_FEED,
    PLAIN_PASSWORD,
    TENANT,
    USER,
    Household,
    feed,
    household,
)
from tests.fakes.az import OFFLINE
from tests.fakes.az_program import Conduct
from tests.fakes.clients import PATIENCE_S, Outcome
from tests.fakes.gitlab import GitLab, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e

BROKERCTL = str(Path(sysconfig.get_path("scripts")) / "brokerctl")
GITLAB_FEED = "https://gitlab.com/api/v4/groups/1234567/-/packages/pypi/simple/"
GITLAB_PAT = "glpat-good"
TOOLS_FEED = AZURE_FEED.replace("corp", "tools")
LOGIN = f"az login --tenant {TENANT}"
SIGNED_OUT = "az is signed out"
NO_RIGHT = (
    f'the feed refuses the credential of {USER} (403: "TF400813: The user is not authorized to access this '
    'resource."): ask its owner about that'
)
DEAD_PAT = "has expired or was revoked: make another at https://gitlab.com/-/user_settings/"


class State(NamedTuple):
    """One state of a feed.

    `arrange` brings a house into it before the daemon starts, `befall` afterwards; `typed` is what a person
    types into the line, or does beside it. `cause` and `line` are on each screen; both None: all is well.
    """

    url: str
    arrange: Callable[[Household], None]
    cause: str | None = None
    line: str | None = None
    befall: Callable[[Household], None] = lambda _: None
    typed: Callable[[Household], str] = lambda _: ""
    exec_line: bool = True


def configured(*texts: str) -> Callable[[Household], None]:
    return lambda house: house.configure("".join(texts))


def without_rights(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    house.acme.readers = set()


def asked_for_claims(text: str) -> Callable[[Household], None]:
    """Continuous Access Evaluation: what az has is not enough, and a sign-in with claims is."""

    def arrange(house: Household) -> None:
        house.configure(text)
        house.acme.want_claims(CLAIMS)
        house.az.expect(USER, [TENANT])

    return arrange


def granted(house: Household) -> str:
    house.acme.readers = None
    return ""


def wrong_pat(house: Household) -> None:
    house.configure(feed("labs", GITLAB_FEED, 'secret = "file:~/pat"'))
    house.keep_secret("pat", "glpat-wrong")


def wrong_password(house: Household) -> None:
    house.configure(feed("plain", PLAIN_FEED, 'provider = "basic"\nsecret = "file:~/pw"'))
    house.keep_secret("pw", "wrong")


def offline(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    house.az.behave(Conduct(mode="fail", complaint=OFFLINE))


def online(house: Household) -> str:
    house.az.behave(Conduct())
    return ""


def signed_out(*texts: str) -> Callable[[Household], None]:
    def arrange(house: Household) -> None:
        if texts:
            house.configure("".join(texts))
        house.az.sign_out()
        house.az.expect(USER, [TENANT])

    return arrange


def corrected(house: Household) -> str:
    house.configure(feed("corp", AZURE_FEED))
    return ""


CORP = feed("corp", AZURE_FEED)
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'
CLAIMS_LOGIN = f"{LOGIN} --scope {RESOURCE}/.default --claims-challenge {encoded(CLAIMS)}"
STATES = {
    "fresh": State(AZURE_FEED, configured(CORP)),
    "revoked": State(AZURE_FEED, configured(CORP), befall=lambda house: house.acme.revoke_all()),
    "claims wanted by the feed": State(
        AZURE_FEED,
        asked_for_claims(feed("corp", AZURE_FEED, 'token = "entra"')),
        f"the feed wants claims that the credential of {USER} from azure-cli does not have (401)",
        CLAIMS_LOGIN,
    ),
    "claims wanted by the authority": State(
        AZURE_FEED,
        asked_for_claims(CORP),
        f"does not take the sign-in of {USER} (401",
        CLAIMS_LOGIN,
    ),
    "rights removed": State(AZURE_FEED, without_rights, NO_RIGHT, "brokerctl refresh corp", typed=granted),
    "wrong PAT": State(
        GITLAB_FEED, wrong_pat, DEAD_PAT, "sh -c 'umask 077; cat > ~/pat'", typed=lambda _: GITLAB_PAT
    ),
    "wrong password": State(
        PLAIN_FEED,
        wrong_password,
        "the feed does not accept the credential (401): put another into file:~/pw",
        "sh -c 'umask 077; cat > ~/pw'",
        typed=lambda _: PLAIN_PASSWORD,
    ),
    "unreachable": State(
        AZURE_FEED, offline, "az cannot reach its sign-in service", "brokerctl doctor", typed=online
    ),
    "wrong configuration": State(
        AZURE_FEED,
        configured('[[feed]]\nname = "corp"\n'),
        "line 1: a feed needs a url",
        "brokerctl reload",
        typed=corrected,
        exec_line=False,  # a private broker has read the file just now
    ),
    "secret missing": State(
        PLAIN_FEED,
        configured(feed("plain", PLAIN_FEED, 'provider = "basic"\nsecret = "file:~/kept/pw"')),
        "kept/pw does not exist",
        "sh -c 'umask 077; mkdir -p ~/kept; cat > ~/kept/pw'",
        typed=lambda _: PLAIN_PASSWORD,
    ),
    "not configured": State(
        GITLAB_FEED,
        lambda _: None,
        "no feed has this address",
        f"brokerctl add {GITLAB_FEED}",
    ),
    "learned": State(AZURE_FEED, signed_out(), SIGNED_OUT, LOGIN),
    "shared": State(AZURE_FEED, signed_out(CORP, feed("tools", TOOLS_FEED)), SIGNED_OUT, LOGIN),
}

SCREENS: dict[str, Callable[[str], list[str]]] = {
    "shim": lambda url: ["keyring", "get", url, "VssSessionToken"],
    "get": lambda url: [BROKERCTL, "get", url],
    "status": lambda _: [BROKERCTL, "status"],
    "explain": lambda url: [BROKERCTL, "explain", url],
    "doctor": lambda _: [BROKERCTL, "doctor"],
    "exec": lambda url: [
        *(BROKERCTL, "exec", "--", "sh", "-c"),
        f"keyring get {url} VssSessionToken 2>/dev/null >&2; exit 1",
    ],
}
"""exec's own words only: the shim's are thrown away, and the command fails as an installer would."""

IN_DOCTOR = {"brokerctl doctor": "brokerctl logs"}
"""No command names itself."""


@dataclass
class Seen:
    """A state as its screens told it, and the password that was answered after its line was typed."""

    state: State
    screens: dict[str, Outcome] = field(default_factory=dict)
    afterwards: str = ""


def run(house: Household, command: list[str], typed: str = "") -> Outcome:
    done = subprocess.run(
        command,
        cwd=house.home,
        env=house.environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(state, id=name, marks=() if name == "wrong PAT" else pytest.mark.long)
        for name, state in STATES.items()
    ],
)
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """A household in the state, seen on every screen and then repaired by the line."""
    state: State = request.param
    with household() as house:
        gitlab = GitLab([PACKAGE])
        gitlab.tokens[GITLAB_PAT] = Token()
        house.proxy.route("gitlab.com", gitlab)
        state.arrange(house)
        with house.forked_brokerd() as broker:
            broker.wire.look_up(state.url)
            state.befall(house)
            told = Seen(state)
            for name in ("explain", *SCREENS):  # the first also has the feed asked
                told.screens[name] = run(house, SCREENS[name](state.url))
            repair(house, state)
            told.afterwards = run(house, [BROKERCTL, "get", state.url]).text
            yield told


def repair(house: Household, state: State) -> None:
    """Type the line, and into it what it asks for."""
    typed = state.typed(house)
    if state.line is None:
        return
    words = shlex.split(state.line)
    words[0] = BROKERCTL if words[0] == "brokerctl" else words[0]
    if words[1:2] == ["add"]:  # without a terminal it tells the whole line, and where the secret belongs
        asked = run(house, words)
        words = shlex.split(asked.stderr.partition("run: ")[2])
        place = next(word for word in words if word.startswith("file:")).removeprefix("file:")
        kept = house.home / place.removeprefix("~/")
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(GITLAB_PAT)
        words[0] = BROKERCTL
    run(house, words, typed)


def flat(text: str) -> str:
    """The words without line breaks: screens break what is too long."""
    return " ".join(text.split())


@pytest.mark.parametrize("screen", SCREENS)
def test_state_is_told_with_its_cause_and_its_line(seen: Seen, screen: str) -> None:
    state, told = seen.state, seen.screens[screen]
    words = flat(told.stdout + told.stderr)
    if state.cause is None or state.line is None:
        assert "401" not in words.partition("challenge")[0]
        assert "✗" not in words
        return
    line = IN_DOCTOR.get(state.line, state.line) if screen == "doctor" else state.line

    assert state.cause in words
    assert line in words or not (state.exec_line or screen != "exec")
    assert told.exit_code != 0 or screen == "status"


def test_line_that_is_told_repairs_the_feed(seen: Seen) -> None:
    assert "token-broker: " not in seen.afterwards
    assert seen.afterwards.strip()
