"""Personal access tokens of Azure DevOps are found wherever clients take them, and never shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.moment import Moment
from broker.ctl.clients.upload_passwords import UPLOADS
from broker.ctl.doctor.access_tokens import access_tokens_last
from broker.ctl.doctor.asked_feeds import feeds_take_the_tokens
from broker.ctl.doctor.client_logins import indexes_have_no_passwords
from broker.ctl.doctor.index_usernames import indexes_have_usernames
from broker.ctl.doctor.shadowing_passwords import netrc_shadows, uv_store_shadows
from broker.ctl.doctor.sign_in_checks import service_sees_the_tokens
from broker.host.clock import SystemClock
from broker.providers.recognise.azure_addresses import GLOBAL_PATS_END, is_azure_host
from tests.ctl.clinic import Clinic, found
from tests.ctl.found_feeds import broker, feed

if TYPE_CHECKING:
    from pathlib import Path

PAT = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
WITH_PAT = URL.replace("://", f"://me:{PAT}@")
ENDPOINTS = json.dumps({"endpointCredentials": [{"endpoint": URL, "password": PAT}]})
CONFIGURED = f'[[feed]]\nname = "corp"\nurl = "{URL}"\n'
NEWS = "global PATs have ended; a token of one organisation, or Entra"
BEFORE, AFTER = GLOBAL_PATS_END - timedelta(seconds=1), GLOBAL_PATS_END


class SetClock(SystemClock):
    def __init__(self, wall: datetime) -> None:
        self._wall = wall

    def now(self) -> Moment:
        return Moment(self._wall, 1000.0)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "home", tmp_path / "project", tmp_path / "programs")


TELL_OF_PASSWORDS = (
    indexes_have_usernames,
    indexes_have_no_passwords,
    netrc_shadows,
    uv_store_shadows,
    access_tokens_last,
    feeds_take_the_tokens,
    service_sees_the_tokens,
)


def told(
    clinic: Clinic, wall: datetime = AFTER, status: dict[str, Any] | None = None
) -> list[tuple[str, str, str | None]]:
    """What the checks say that tell of passwords."""
    room = replace(clinic.room(status), clock=SetClock(wall))
    room.__dict__["has_service"] = True
    return [finding for check in TELL_OF_PASSWORDS for finding in found(check, room)]


FILES = {
    "pip.conf": ("~/.config/pip/pip.conf", f"[global]\nindex-url = {WITH_PAT}\n", "pip.conf line 2"),
    "netrc": (
        "~/.netrc",
        f"machine pkgs.dev.azure.com\n  login me\n  password {PAT}\n",
        "~/.netrc ",
    ),
    "netrc of the old host": (
        "~/.netrc",
        f"machine acme.pkgs.visualstudio.com login me password {PAT}\n",
        "~/.netrc line 1",
    ),
    "uv's store": (
        "~/.local/share/uv/credentials/credentials.toml",
        f'[[credential]]\nservice = "{URL}"\nusername = "me"\nscheme = "basic"\npassword = "{PAT}"\n',
        f"{URL}",
    ),
    ".pypirc": (
        "~/.pypirc",
        f"[corp]\nrepository = {URL.replace('simple', 'upload')}\nusername = me\npassword = {PAT}\n",
        "~/.pypirc line 4",
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
    "PIP_INDEX_URL": (WITH_PAT, "PIP_INDEX_URL: ", f"export PIP_INDEX_URL={URL.replace('://', '://me@')}"),
    "UV_DEFAULT_INDEX": (
        WITH_PAT,
        "UV_DEFAULT_INDEX: ",
        f"export UV_DEFAULT_INDEX={URL.replace('://', '://me@')}",
    ),
}


POETRY = f'[[tool.poetry.source]]\nname = "my-corp"\nurl = "{URL}"\n'
UPLOAD = URL.replace("simple", "upload")
ALL_UPLOADS = UPLOADS | {
    "TWINE_PASSWORD": "TWINE_REPOSITORY_URL",
    "UV_PUBLISH_PASSWORD": "UV_PUBLISH_URL",
    "UV_PUBLISH_TOKEN": "UV_PUBLISH_URL",
}
NAMED: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "poetry's variable": (
        {"pyproject.toml": POETRY},
        {"POETRY_HTTP_BASIC_MY_CORP_PASSWORD": PAT},
        "POETRY_HTTP_BASIC_MY_CORP_PASSWORD",
        "unset POETRY_HTTP_BASIC_MY_CORP_PASSWORD",
    ),
    "poetry's file": (
        {
            "pyproject.toml": POETRY,
            "~/.config/pypoetry/auth.toml": f'[http-basic.my-corp]\nusername = "me"\npassword = "{PAT}"\n',
        },
        {},
        "~/.config/pypoetry/auth.toml line 3 has",
        "poetry config --unset http-basic.my-corp",
    ),
    "PDM's file": (
        {"~/.config/pdm/config.toml": f'[pypi.corp]\nurl = "{URL}"\npassword = "{PAT}"\n'},
        {},
        "~/.config/pdm/config.toml line 3 has",
        "pdm config --delete pypi.corp.password",
    ),
    "an index that uv publishes to": (
        {
            "uv.toml": (
                f'[[index]]\nname = "corp"\nurl = "{URL.replace("//", "//me@")}"\npublish-url = "{UPLOAD}"\n'
            )
        },
        {"UV_PUBLISH_TOKEN": PAT},
        "UV_PUBLISH_TOKEN",
        "unset UV_PUBLISH_TOKEN",
    ),
} | {name: ({}, {name: PAT, address: UPLOAD}, name, f"unset {name}") for name, address in ALL_UPLOADS.items()}


@pytest.mark.parametrize("name", NAMED)
def test_a_token_beside_the_address_that_it_is_for_is_told_once(clinic: Clinic, name: str) -> None:
    files, variables, where, line = NAMED[name]
    for place, text in files.items():
        clinic.write(place, text)
    clinic.environ |= variables

    (finding,) = told(clinic)

    assert finding[1].startswith(where)
    assert finding[2] == line
    assert PAT not in repr(finding)


def test_a_token_in_the_place_of_a_user_name_is_told_and_not_shown(clinic: Clinic) -> None:
    clinic.environ["PIP_INDEX_URL"] = URL.replace("://", f"://{PAT}@")

    (finding,) = told(clinic)

    assert finding[1].startswith("PIP_INDEX_URL has")
    assert PAT not in repr(finding)


@pytest.mark.parametrize("name", ALL_UPLOADS)
def test_a_password_for_an_upload_elsewhere_is_none(clinic: Clinic, name: str) -> None:
    clinic.environ |= {name: PAT, ALL_UPLOADS[name]: "https://upload.example/legacy/"}

    assert told(clinic) == []


@pytest.mark.parametrize("text", ["", CONFIGURED], ids=["learned", "configured"])
@pytest.mark.parametrize("name", FILES)
def test_a_token_in_a_file_is_told_once_by_its_place_and_not_shown(
    clinic: Clinic, name: str, text: str
) -> None:
    clinic.configure(text)
    place, text, where = FILES[name]
    clinic.write(place, text)

    (finding,) = told(clinic)

    assert where in finding[1]
    assert NEWS in finding[1]
    assert finding[2]
    assert PAT not in repr(finding)


STORES = {
    "netrc": ("~/.netrc", f"machine pkgs.dev.azure.com login me password {PAT}\n", netrc_shadows),
    "uv's store": (
        "~/.local/share/uv/credentials/credentials.toml",
        f'[[credential]]\nservice = "{URL}"\nusername = "me"\nscheme = "basic"\npassword = "{PAT}"\n',
        uv_store_shadows,
    ),
}


@pytest.mark.parametrize("name", STORES)
def test_a_place_of_passwords_is_read_once_for_all_checks(clinic: Clinic, name: str) -> None:
    place, text, first = STORES[name]
    file = clinic.write(place, text)
    room = clinic.room()
    shadowing = found(first, room)
    file.unlink()

    told_later = found(access_tokens_last, room)

    assert len([*shadowing, *told_later]) == 1


@pytest.mark.parametrize("name", VARIABLES)
def test_a_token_in_a_variable_is_told_once_with_the_line_to_type(clinic: Clinic, name: str) -> None:
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

    assert said.startswith("UV_INDEX_CORP_PASSWORD is set")
    assert NEWS in said
    assert line == "unset UV_INDEX_CORP_PASSWORD"


def test_a_token_of_the_configuration_is_found(clinic: Clinic) -> None:
    clinic.configure(f'[[feed]]\nname = "corp"\nurl = "{URL}"\nauth = ["pat"]\nsecret = "file:~/pat"\n')

    ((_, said, _),) = told(clinic)

    assert "config.toml" in said
    assert "file:~/pat" in said


@pytest.mark.usefixtures("shell_of_no_use")
def test_a_token_of_the_configuration_that_its_feed_refused_is_told_by_the_feeds_word(clinic: Clinic) -> None:
    clinic.configure(CONFIGURED + 'auth = ["pat"]\nsecret = "file:~/pat"\n')
    refused = feed("corp", state="refused", usable=False, verdict="rejected", error=NEWS, hint="do it")

    assert told(clinic, status=broker(refused)) == [("problem", f"corp: {NEWS}", "do it")]


def test_a_token_in_the_netrc_of_the_configuration_is_told_by_the_configuration(clinic: Clinic) -> None:
    clinic.configure(CONFIGURED + 'auth = ["pat"]\nsecret = "netrc"\n')
    clinic.write("~/.netrc", f"machine pkgs.dev.azure.com login me password {PAT}\n")

    ((_, said, _),) = told(clinic)

    assert "config.toml line 1 (netrc) has" in said


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

    assert found(access_tokens_last, clinic.room()) == []


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
