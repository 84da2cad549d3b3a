"""Where poetry is told not to ask the keyring: each row was run with poetry 2.5.1."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.doctor.poetry_sources import poetry_asks_the_keyring
from tests.ctl.clinic import found
from tests.ctl.test_clients_without_account import told

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
OTHER = "https://packages.example/simple/"
SOURCE = '[[tool.poetry.source]]\nname = "corp"\nurl = "{}"\n'
LINE = "export POETRY_KEYRING_ENABLED=true"
OURS = "~/.config/pypoetry/config.toml"
OFF, ON = "[keyring]\nenabled = false\n", "[keyring]\nenabled = true\n"

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="poetry keeps its settings in Library there")


@pytest.mark.parametrize(
    ("files", "environ", "place"),
    [
        ({}, {}, None),
        ({OURS: OFF}, {}, f"{OURS} line 2"),
        ({OURS: OFF, "poetry.toml": ON}, {}, None),
        ({OURS: ON, "poetry.toml": OFF}, {}, "{project}/poetry.toml line 2"),
        ({OURS: '[keyring]\nenabled = "false"\n'}, {}, None),
        ({OURS: OFF}, {"POETRY_KEYRING_ENABLED": "True"}, None),
        ({OURS: ON}, {"POETRY_KEYRING_ENABLED": "no"}, "POETRY_KEYRING_ENABLED"),
        ({OURS: OFF}, {"POETRY_CONFIG_DIR": "{project}/chosen"}, None),
        (
            {"chosen/config.toml": OFF},
            {"POETRY_CONFIG_DIR": "{project}/chosen"},
            "{project}/chosen/config.toml line 2",
        ),
    ],
)
def test_a_poetry_that_asks_no_keyring_is_told_with_its_place_and_the_line_that_makes_it_ask(
    clinic: Clinic, files: dict[str, str], environ: dict[str, str], place: str | None
) -> None:
    clinic.write("pyproject.toml", SOURCE.format(URL))
    for name, text in files.items():
        clinic.write(name, text)
    clinic.environ |= {name: text.format(project=clinic.project) for name, text in environ.items()}

    findings = found(poetry_asks_the_keyring, clinic.room())

    said = f"{place}: poetry asks no keyring: its setting keyring.enabled is false"
    assert findings == ([] if place is None else [("problem", said.format(project=clinic.project), LINE)])
    assert (("poetry-keyring", LINE) in told(clinic, "")) == (place is not None)
    clinic.environ["POETRY_KEYRING_ENABLED"] = "true"
    assert found(poetry_asks_the_keyring, clinic.room()) == []


def test_a_poetry_without_a_source_of_ours_may_ask_no_keyring(clinic: Clinic) -> None:
    clinic.write("pyproject.toml", SOURCE.format(OTHER))
    clinic.write(OURS, OFF)

    assert found(poetry_asks_the_keyring, clinic.room()) == []


@pytest.mark.parametrize(
    ("place", "text", "environ"),
    [
        ("poetry.toml", '[repositories.corp]\nurl = "{}"\n', {}),
        ("chosen/config.toml", '[repositories.corp]\nurl = "{}"\n', {"POETRY_CONFIG_DIR": "{}/chosen"}),
        ("chosen.toml", '[pypi.corp]\nurl = "{}"\n', {"PDM_CONFIG_FILE": "{}/chosen.toml"}),
    ],
)
def test_settings_elsewhere_name_their_index(
    clinic: Clinic, place: str, text: str, environ: dict[str, str]
) -> None:
    path = clinic.write(place, text.format(URL))
    clinic.environ |= {name: each.format(clinic.project) for name, each in environ.items()}

    [index] = all_indexes(clinic.project, clinic.room().user_dirs)

    assert (index.place.source, index.url) == (path, URL)
