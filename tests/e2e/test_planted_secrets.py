"""Recognisable secrets, each where a person or a provider puts one, are in nothing that is said but the
answer to a look-up. Each place is searched by itself, and a secret that is planted there is found.
"""

from __future__ import annotations

import itertools
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, Household, feed, household
from tests.e2e.traces import Search
from tests.e2e.wire import Events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.e2e

FROM_PROVIDER = PLAIN_PASSWORD
IN_ADDRESS = "TBKTEST-in-address-77aa"
IN_CONFIGURATION = "TBKTEST-in-configuration-5e0b"
IN_QUERY = "TBKTEST-in-query-93f2"
SECRETS = (FROM_PROVIDER, IN_ADDRESS, IN_CONFIGURATION, IN_QUERY)

ADDRESS = PLAIN_FEED.replace("//", f"//ci:{IN_ADDRESS}@")
ADDRESSES = (
    ADDRESS,
    ADDRESS.replace("packages.example", "unknown.example"),
    f"https://{IN_ADDRESS}@packages.example/simple/",
    f"https://ci:{IN_ADDRESS}@packages.example:99999/simple/",
    f"https://ci:{IN_ADDRESS}@packages.example/a%2Fb/",
    f"http://ci:{IN_ADDRESS}@packages.example/simple/",
    f"{PLAIN_FEED}?token={IN_QUERY}",
    f"https://unknown.example/?token={IN_QUERY}#{IN_QUERY}",
)
"""With a secret in them, and each refused or answered in another way."""

VERBS = (
    *(("status",), ("status", "--json"), ("doctor",), ("doctor", "--json"), ("doctor", "--report")),
    *(("discover", "--offline"), ("why", "--", "false"), ("logs",)),
    ("exec", "--", "sh", "-c", "keyring get $PIP_INDEX_URL ci >/dev/null; exit 1"),
)

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"


def brokerctl(house: Household, *words: str) -> bytes:
    """All that `brokerctl` prints, in a project whose index has a password in its address."""
    project = house.home / "project"
    project.mkdir(exist_ok=True)
    house.project(project, f'[[tool.uv.index]]\nname = "plain"\nurl = "{ADDRESS}"')
    (project / "requirements.txt").write_text(f"--index-url {ADDRESS}\ndemo-package\n")
    ended = subprocess.run(
        [BROKERCTL, *words],
        env={**house.environment, "PIP_INDEX_URL": ADDRESS},
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.long)])
def said(request: pytest.FixtureRequest) -> Iterator[Mapping[str, bytes]]:
    """What is said in each place at log = "debug", after all addresses were asked for; with what brokerctl
    prints, or without.
    """
    with household() as house:
        program = f'provider = "command"\ncommand = ["cat", "{house.home}/kept"]'
        (house.home / "kept").write_text(FROM_PROVIDER)
        whole = f'log = "debug"\n{feed("plain", PLAIN_FEED, program)}'
        house.configure(whole)
        found: dict[str, bytes] = {}
        with house.forked_brokerd() as broker, Events(broker.wire) as events:
            wire = broker.wire
            assert wire.look_up(PLAIN_FEED).json.get("password") == FROM_PROVIDER, broker.log
            for order in ("forget", "refresh"):
                assert wire.post(f"/v1/feeds/plain/{order}").status == 200
            found["events"] = repr(list(itertools.islice(events, 1))).encode()
            asked = [quote(address, safe="") for address in ADDRESSES]
            answers = [wire.get(f"/v1/credential?url={each}") for each in asked]
            found["look-ups"] = b"".join(each.body for each in answers if each.status != 200)
            found["match"] = b"".join(wire.get(f"/v1/match?url={each}").body for each in asked)
            found["explain route"] = b"".join(wire.post(f"/v1/explain?url={each}").body for each in asked)
            shim = [house.keyring("get", each, "ci") for each in ADDRESSES]
            found["shim"] = b"".join(
                (each.stderr + (each.stdout if each.exit_code else "")).encode() for each in shim
            )
            if request.param:
                printed = b"".join(brokerctl(house, "get", each) for each in ADDRESSES)
                found["get"] = printed.replace(FROM_PROVIDER.encode() + b"\n", b"")
                found["explain"] = b"".join(brokerctl(house, "explain", each) for each in ADDRESSES)
            for broken in (
                f'secret = "{IN_CONFIGURATION}"\n',
                feed("b", "https://b.example/", f"{IN_CONFIGURATION} = {{"),
                feed("b", "https://b.example/", f'provider = "gitlab"\ntoken = "{IN_CONFIGURATION}"'),
                feed("b", "https://b.example/", f'provider = "basic"\nsecret = "{IN_CONFIGURATION}"'),
                feed("b", ADDRESS, 'provider = "basic"\nsecret = "netrc"'),
            ):
                house.configure(whole + broken)
                found["reload"] = found.get("reload", b"") + wire.post("/v1/reload").body
            for name in ("/metrics", "/v1/status", "/v1/logs", "/openapi.json"):
                found[name] = wire.get(name).body
            for verb in VERBS if request.param else ():
                found[f"brokerctl {' '.join(verb)}"] = brokerctl(house, *verb)
            found["log"] = broker.log.encode()
        yield found


def test_no_planted_secret_is_said(said: Mapping[str, bytes]) -> None:
    for place, text in said.items():
        found = [secret for secret in SECRETS if Search([secret]).is_in(text)]
        assert not found, f"{place}: {text.decode(errors='replace')}"


def test_the_secrets_were_met(said: Mapping[str, bytes]) -> None:
    assert b"packages.example" in said["/v1/status"]
    assert b"config.toml" in said["/v1/status"]
    assert b"unknown.example" in said["/v1/status"]


def test_a_secret_that_is_planted_there_is_found(said: Mapping[str, bytes]) -> None:
    for secret in SECRETS:
        for place, text in said.items():
            half = len(text) // 2
            assert Search([secret]).is_in(text[:half] + secret.encode() + text[half:]), place
