"""Personal access tokens of Azure DevOps are found wherever clients take them, and never shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from broker.core.refresh import Moment
from broker.ctl.doctor.access_tokens import access_tokens_last
from broker.host.clock import SystemClock
from broker.providers.recognise import GLOBAL_PATS_END, is_azure_host
from tests.ctl.clinic import Clinic, found

if TYPE_CHECKING:
    from pathlib import Path

PAT = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
WITH_PAT = URL.replace("://", f"://me:{PAT}@")
ENDPOINTS = json.dumps({"endpointCredentials": [{"endpoint": URL, "password": PAT}]})
BEFORE, AFTER = GLOBAL_PATS_END - timedelta(seconds=1), GLOBAL_PATS_END


class SetClock(SystemClock):
    def __init__(self, wall: datetime) -> None:
        self._wall = wall

    def now(self) -> Moment:
        return Moment(self._wall, 1000.0)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "home", tmp_path / "project", tmp_path / "programs")


def told(clinic: Clinic, wall: datetime = AFTER) -> list[tuple[str, str, str | None]]:
    return found(access_tokens_last, replace(clinic.room(), clock=SetClock(wall)))


FILES = {
    "pip.conf": ("~/.config/pip/pip.conf", f"[global]\nindex-url = {WITH_PAT}\n", "pip.conf line 2"),
    "netrc": (
        "~/.netrc",
        f"machine pkgs.dev.azure.com\n  login me\n  password {PAT}\n",
        "~/.netrc lines 1-3",
    ),
    "netrc of the old host": (
        "~/.netrc",
        f"machine acme.pkgs.visualstudio.com login me password {PAT}\n",
        "~/.netrc line 1",
    ),
    "uv's store": (
        "~/.local/share/uv/credentials/credentials.toml",
        f'[[credential]]\nservice = "{URL}"\nusername = "me"\nscheme = "basic"\npassword = "{PAT}"\n',
        "uv's store (https://pkgs.dev.azure.com",
    ),
    ".pypirc": (
        "~/.pypirc",
        f"[corp]\nrepository = {URL.replace('simple', 'upload')}\nusername = me\npassword = {PAT}\n",
        "~/.pypirc line 2",
    ),
    "npm of the user": (
        "~/.npmrc",
        f"a=b\n//pkgs.dev.azure.com/acme/_packaging/corp/npm/registry/:_password={PAT}\n",
        "~/.npmrc line 2",
    ),
    "npm of the project": (".npmrc", f"//pkgs.dev.azure.com/acme/:_authToken={PAT}\n", ".npmrc line 1"),
    "uv.toml": ("uv.toml", f'[[index]]\nname = "corp"\nurl = "{WITH_PAT}"\n', "uv.toml line 3"),
}

VARIABLES = {
    "AZURE_DEVOPS_EXT_PAT": (PAT, "AZURE_DEVOPS_EXT_PAT has", "unset AZURE_DEVOPS_EXT_PAT"),
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": (
        ENDPOINTS,
        "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS has",
        "unset VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
    ),
    "PIP_INDEX_URL": (WITH_PAT, "PIP_INDEX_URL has", f"export PIP_INDEX_URL={URL.replace('://', '://me@')}"),
    "UV_DEFAULT_INDEX": (
        WITH_PAT,
        "UV_DEFAULT_INDEX has",
        f"export UV_DEFAULT_INDEX={URL.replace('://', '://me@')}",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_token_in_a_file_is_found_by_its_place_and_not_shown(clinic: Clinic, name: str) -> None:
    place, text, where = FILES[name]
    clinic.write(place, text)

    (finding,) = told(clinic)

    assert where in finding[1]
    assert finding[2]
    assert PAT not in repr(finding)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_token_in_a_variable_is_found_with_the_line_to_type(clinic: Clinic, name: str) -> None:
    text, where, line = VARIABLES[name]
    clinic.environ[name] = text

    (finding,) = told(clinic)

    assert where in finding[1]
    assert finding[2] == line
    assert PAT not in repr(finding)


def test_a_token_in_uvs_variable_of_an_index_is_found(clinic: Clinic) -> None:
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"\n')
    clinic.environ |= {"UV_INDEX_CORP_USERNAME": "me", "UV_INDEX_CORP_PASSWORD": PAT}

    ((_, said, line),) = told(clinic)

    assert said.startswith("UV_INDEX_CORP_PASSWORD has")
    assert line == "unset UV_INDEX_CORP_PASSWORD"


def test_a_token_of_the_configuration_is_found(clinic: Clinic) -> None:
    clinic.configure(f'[[feed]]\nname = "corp"\nurl = "{URL}"\nauth = ["pat"]\nsecret = "file:~/pat"\n')

    ((_, said, _),) = told(clinic)

    assert "config.toml" in said
    assert "file:~/pat" in said


@pytest.mark.parametrize(
    ("wall", "news"),
    [
        (BEFORE, "global PATs end on 2026-12-01"),
        (AFTER, "global PATs have ended; a token of one organisation, or Entra"),
    ],
)
def test_a_token_is_read_by_the_day(clinic: Clinic, wall: datetime, news: str) -> None:
    clinic.environ["AZURE_DEVOPS_EXT_PAT"] = PAT

    ((level, said, _),) = told(clinic, wall)

    assert level == "warning"
    assert said.endswith(news) or "lives on" in said
    assert news in said


def test_where_no_token_is_nothing_is_said(clinic: Clinic) -> None:
    clinic.write("~/.netrc", "machine example.com login me password x\n")
    clinic.write("~/.npmrc", "//pkgs.dev.azure.com/acme/:_authToken=${TOKEN}\n//npm.example/:_password=x\n")
    clinic.write("~/.config/pip/pip.conf", f"[global]\nindex-url = {URL.replace('://', '://me@')}\n")
    clinic.environ |= {"SYSTEM_ACCESSTOKEN": PAT, "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": "[[["}

    assert told(clinic) == []


@pytest.mark.parametrize(
    ("host", "is_azure"),
    [
        ("pkgs.dev.azure.com", True),
        ("DEV.azure.com", True),
        ("acme.pkgs.visualstudio.com", True),
        ("evil-dev.azure.com", False),
        ("dev.azure.com.evil.example", False),
        ("myvisualstudio.com", False),
        (None, False),
    ],
)
def test_host_of_azure_devops_is_told_by_whole_labels(host: str | None, *, is_azure: bool) -> None:
    assert is_azure_host(host) is is_azure


def test_the_day_is_the_announced_one() -> None:
    assert datetime(2026, 12, 1, tzinfo=UTC) == GLOBAL_PATS_END
