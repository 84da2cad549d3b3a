"""The page for a colleague holds no name, address, path or value of the machine it was made on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from broker.ctl.doctor.checks import findings
from broker.ctl.doctor.finding import problem, warning
from broker.ctl.doctor.redaction import Redactor, own_words
from broker.ctl.doctor.report import report
from tests.ctl.found_feeds import broker, feed

if TYPE_CHECKING:
    from pathlib import Path

    from broker.ctl.doctor.context import DoctorContext
    from tests.ctl.clinic import Clinic

WORLD = {
    "feed": "quaggafeed",
    "organisation": "okapiorg",
    "project": "tapirproject",
    "host": "art.numbat.example",
    "tenant": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "account": "axolotl@dugong.example",
    "username": "pangolin",
    "index": "wombatindex",
    "source": "narwhalsource",
    "folder": "kiwifolder",
    "variable": "CAPYBARA_TOKEN",
    "value": "quokkavalue",
    "proxy": "fossaproxy.example",
    "file": "bilbyfile.pem",
    "error": "aardvarkerror",
    "realm id": "918273645546372819",
    "address": "10.20.30.40",
}
"""Words that stand nowhere in token-broker's sources."""

AMBIGUOUS = ("internal", "broker", "shares", "corp", "uv sync")
"""Names that are words of ours, too."""


@pytest.fixture
def room(clinic: Clinic) -> DoctorContext:
    w = WORLD
    url = f"https://{w['host']}/{w['organisation']}/{w['project']}/simple/"
    clinic.environ |= {w["variable"]: w["value"], "HTTPS_PROXY": f"http://{w['proxy']}:3128"}
    clinic.environ |= {"SSL_CERT_FILE": f"/{w['folder']}/{w['file']}"}
    clinic.configure(
        f'[[feed]]\nname = "{w["feed"]}"\nurl = "{url}"\nprovider = "basic"\nusername = "{w["username"]}"\n'
        f'secret = "env:{w["variable"]}"\n'
        f'[[feed]]\nname = "{w["index"]}x"\nurl = "https://{w["host"]}/internal/"\nprovider = "gitlab"\n'
        f'secret = "file:~/{w["folder"]}/{w["file"]}"\n'
    )
    clinic.write(f"~/{w['folder']}/{w['file']}", "x", 0o644)
    clinic.write("~/.netrc", f"machine {w['host']}\nlogin {w['username']}\npassword {w['value']}\n")
    clinic.write("uv.toml", f'[[index]]\nname = "{w["index"]}"\nurl = "{url}"\n')
    poetry = (
        f'[[tool.poetry.source]]\nname = "{w["source"]}"\nurl = "https://me@{w["host"]}/{w["project"]}/"\n'
    )
    clinic.write("pyproject.toml", f'[tool.poetry]\nname = "x"\n{poetry}')
    clinic.program("uv")
    failing = feed(
        name=w["feed"],
        realm=f"basic:https://{w['host']}",
        urls=[url],
        state="refused",
        usable=False,
        account=w["account"],
        tenant=w["tenant"],
        error=f"{w['error']} of {w['account']} in {w['tenant']} at {w['address']}, group {w['realm id']}",
        hint=f"az login --tenant {w['tenant']}",
    )
    return clinic.room(broker(failing, error=f"/{w['folder']}/config.toml, line 3: {w['error']}"))


def leaks(page: str) -> list[str]:
    words = {part for word in WORLD.values() for part in (word, *re.findall(r"[A-Za-z0-9]{6,}", word))}
    known = {"example", *own_words()}
    return [word for word in words - known if word.lower() in page.lower()]


@pytest.mark.usefixtures("shell_of_no_use")
def test_page_holds_none_of_the_worlds_names(room: DoctorContext, clinic: Clinic) -> None:
    found = findings(room)
    screens = " ".join(f"{each.said} {each.repair}" for each in found)
    assert len(leaks(screens)) > 8, "the findings themselves are about these names"

    page = report(room, found)

    assert leaks(page) == []
    assert str(clinic.home) not in page


SHAPES = ("{}", "'{}'", "({})", "{}:", "x={}", "/a/{}/b", "~/{}", "{}'s", "https://{}/x", "{}@b")


@pytest.mark.parametrize("name", WORLD.values())
def test_finding_that_nobody_has_thought_of_is_redacted(room: DoctorContext, name: str) -> None:
    found = []
    for text in (shape.format(name) for shape in SHAPES):
        found += [
            problem("new", f"the new thing {text} is odd", f"repair {text}"),
            warning("n", text, None),
        ]

    assert leaks(report(room, found)) == []


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_name_that_is_a_word_of_ours_is_redacted_where_it_is_known(name: str) -> None:
    said = Redactor({name: "feed"}).redacted(f"{name}: the sign-in has expired")

    assert said == "feed-1: the sign-in has expired"


def test_one_name_has_one_pseudonym() -> None:
    redactor = Redactor({"okapi": "feed", "wombat": "feed"})

    assert redactor.redacted("okapi wombat okapi") == "feed-1 feed-2 feed-1"


def test_our_own_words_stay() -> None:
    said = "uv: keyring provider is off    brokerctl doctor --fix"

    assert Redactor({}).redacted(said) == said


def test_page_made_without_sources_holds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("broker.ctl.doctor.redaction.SOURCES", tmp_path)

    assert Redactor({}).redacted("uv is off") == "name-1 name-2 name-3"
