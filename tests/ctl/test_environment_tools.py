"""The indexes of tox, hatch and pixi; and that doctor and discover know the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import Obstacle
from broker.ctl.discover.classify import FeedStanding, classify
from broker.ctl.doctor.checks import CHECKS
from broker.ctl.doctor.client_logins import indexes_have_no_passwords
from broker.ctl.doctor.index_usernames import indexes_have_usernames
from tests.ctl.clinic import Clinic, found
from tests.ctl.test_other_clients import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
CLOSED = URL.replace("://", "://me:s3cret@")

PLACES = {
    "tox-uv": ("tox.ini", "[testenv]\nset_env =\n  A = b\n  UV_DEFAULT_INDEX = {url}\n", 4, "uv"),
    "tox-old": ("tox.ini", "[testenv:lint]\nsetenv = PIP_INDEX_URL={url}\n", 2, "pip"),
    "tox-command": ("tox.ini", "[testenv]\ninstall_command = pip install -i {url} {{packages}}\n", 2, "pip"),
    "tox-toml": ("tox.toml", '[env_run_base]\nset_env.UV_INDEX_URL = "{url}"\n', 2, "uv"),
    "tox-env": ("tox.toml", '[env.lint]\nset_env = {{ PIP_INDEX_URL = "{url}" }}\n', 2, "pip"),
    "tox-pyproject": (
        "pyproject.toml",
        '[tool.tox.env_run_base.set_env]\nUV_DEFAULT_INDEX = "corp={url}"\n',
        2,
        "uv",
    ),
    "tox-list": (
        "tox.toml",
        '[env_run_base]\ninstall_command = ["uv", "pip", "install", "-i", "{url}", "{{packages}}"]\n',
        2,
        "uv",
    ),
    "hatch": (
        "pyproject.toml",
        '[tool.hatch.envs.default.env-vars]\nA = "b"\nUV_INDEX = "corp={url}"\n',
        3,
        "uv",
    ),
    "hatch-file": ("hatch.toml", '[envs.test.env-vars]\nPIP_EXTRA_INDEX_URL = "{url}"\n', 2, "pip"),
    "pixi": ("pixi.toml", '[pypi-options]\nindex-url = "{url}"\n', 2, "pixi"),
    "pixi-more": ("pyproject.toml", '[tool.pixi.pypi-options]\nextra-index-urls = ["{url}"]\n', 2, "pixi"),
    "hatch-inline": ("hatch.toml", '[envs.test]\nenv-vars = {{ UV_INDEX = "{url}" }}\n', 2, "uv"),
    "pixi-list": (
        "pixi.toml",
        '[pypi-options]\nextra-index-urls = [\n  "{url}", "https://other.example/simple/", # both\n]\n',
        3,
        "pixi",
    ),
    "uv-old": ("uv.toml", '[pip]\nindex-url = "{url}"\n', 2, "uv"),
    "uv-list": ("uv.toml", 'extra-index-url = ["https://other.example/simple/", "{url}"]\n', 1, "uv"),
    "uv": ("uv.toml", '[[index]]\nurl = "{url}"\n', 2, "uv"),
    "member": ("a/pyproject.toml", '[[tool.uv.index]]\nurl = "{url}"\n', 2, "uv"),
    "script": ("x.py", '# /// script\n# [[tool.uv.index]]\n# url = "{url}"\n# ///\n', 3, "uv"),
    "receipt": (
        "~/.local/share/uv/tools/x/uv-receipt.toml",
        '[tool.options]\nindex-url = "{url}"\n',
        2,
        "uv",
    ),
    "requirements": ("requirements.txt", "--index-url {url}\n", 1, "pip"),
    "requirements-in": ("requirements-dev.in", "x\n-i {url}\n", 2, "pip"),
    "requirements-folder": ("requirements/dev.txt", "--extra-index-url={url}\n", 1, "pip"),
    "constraints": ("constraints.txt", "--index-url {url}\n", 1, "pip"),
    "script-old": ("x.py", '# /// script\n# [tool.uv]\n# index-url = "{url}"\n# ///\n', 3, "uv"),
    "script-list": ("x.py", '# /// script\n# [tool.uv]\n# extra-index-url = ["{url}"]\n# ///\n', 3, "uv"),
    "tox-deps": ("tox.ini", "[testenv]\ndeps =\n  x\n  --index-url {url}\n", 4, "pip"),
    "tox-deps-by-uv": (
        "tox.ini",
        "[tox]\nrequires = tox-uv>=1\n[testenv]\ndeps = -i {url}\n",
        4,
        "uv",
    ),
    "tox-setup-cfg": ("setup.cfg", "[tox:tox]\n[testenv]\nsetenv =\n  UV_INDEX_URL = {url}\n", 4, "uv"),
    "tox-legacy": (
        "pyproject.toml",
        '[tool.tox]\nlegacy_tox_ini = """\n[testenv]\nsetenv =\n  UV_INDEX_URL = {url}\n"""\n',
        5,
        "uv",
    ),
    "tox-toml-deps": ("tox.toml", '[env_run_base]\ndeps = ["--index-url {url}", "x"]\n', 2, "pip"),
    "pixi-feature": ("pixi.toml", '[feature.t.pypi-options]\nindex-url = "{url}"\n', 2, "pixi"),
    "pixi-package": (
        "pixi.toml",
        '[pypi-dependencies]\nx = {{ version = "*", index = "{url}" }}\n',
        2,
        "pixi",
    ),
    "pipfile": ("Pipfile", '[[source]]\nurl = "{url}"\n', 2, "pipenv"),
    "poetry": ("pyproject.toml", '[[tool.poetry.source]]\nname = "c"\nurl = "{url}"\n', 3, "poetry"),
    "pdm": ("pyproject.toml", '[[tool.pdm.source]]\nname = "c"\nurl = "{url}"\n', 3, "pdm"),
    "pip": ("~/.config/pip/pip.conf", "[global]\nindex-url = {url}\n", 2, "pip"),
    "pip-old": ("~/.pip/pip.conf", "[install]\nextra_index_url =\n  {url}\n", 3, "pip"),
    "pip-venv": ("~/venv/pip.conf", "[global]\nindex-url = {url}\n", 2, "pip"),
    "uv-user": ("~/.config/uv/uv.toml", '[[index]]\nurl = "{url}"\n', 2, "uv"),
    "uv-pip": ("pyproject.toml", '[tool.uv.pip]\nindex-url = "{url}"\n', 2, "uv"),
    "uv-inline": ("pyproject.toml", '[tool.uv]\nindex = [{{ url = "{url}" }}]\n', 2, "uv"),
    "uv-publish": ("uv.toml", 'publish-url = "{url}"\n', 1, "uv"),
    "uv-index-publish": (
        "uv.toml",
        '[[index]]\nurl = "https://other.example/simple/"\npublish-url = "{url}"\n',
        3,
        "uv",
    ),
    "pypirc": ("~/.pypirc", "[corp]\nrepository = {url}\n", 2, "twine"),
    "poetry-repository": (
        "~/.config/pypoetry/config.toml",
        '[repositories.corp]\nurl = "{url}"\n',
        2,
        "poetry",
    ),
    "pdm-user": ("~/.config/pdm/config.toml", '[pypi]\nurl = "{url}"\n', 2, "pdm"),
    "pdm-repository": ("~/.config/pdm/config.toml", '[repository.corp]\nurl = "{url}"\n', 2, "pdm"),
    "pdm-project": ("pdm.toml", '[pypi]\nurl = "{url}"\n', 2, "pdm"),
    "pdm-by-uv": (
        "pyproject.toml",
        '[[tool.pdm.source]]\nname = "c"\nurl = "{url}"\n[tool.pdm]\n',
        3,
        "uv",
    ),
}
PUBLISHES = {"uv-publish", "uv-index-publish", "pypirc", "poetry-repository", "pdm-repository"}
NEEDS_A_NAME = {name for name, (*_, client) in PLACES.items() if client in {"uv", "pixi"}} - PUBLISHES


def furnish(clinic: Clinic, name: str, url: str) -> Path:
    place, text, _, _ = PLACES[name]
    if name == "member":
        clinic.write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["a"]\n')
    if name == "pdm-by-uv":
        clinic.write("pdm.toml", "use_uv = true\n")
    if name == "pip-venv":
        clinic.environ["VIRTUAL_ENV"] = str(clinic.home / "venv")
    return clinic.write(place, text.format(url=url))


@pytest.mark.parametrize("name", PLACES)
def test_index_is_known_with_its_client_and_line(clinic: Clinic, name: str) -> None:
    path = furnish(clinic, name, URL)

    [index] = [each for each in all_indexes(clinic.project, clinic.room().user_dirs) if each.url == URL]

    assert (index.client, index.place.source, index.place.line) == (PLACES[name][3], path, PLACES[name][2])


@pytest.mark.parametrize("name", PLACES)
def test_doctor_and_discover_tell_of_the_same_places(clinic: Clinic, name: str) -> None:
    path = furnish(clinic, name, CLOSED)
    room = clinic.room()

    listing = classify(all_indexes(clinic.project, room.user_dirs), room.configured.config)
    [listed] = [each for each in listing if each.indexes[0].bare == URL]
    [said] = [words for _, words, _ in found(indexes_have_no_passwords, room)]

    assert listed.standing is FeedStanding.AUTOMATIC
    assert [each.place.source for each in listed.with_password] == [path]
    assert said.startswith(f"{room.user_dirs.shown(path)} line {PLACES[name][2]}: ")
    assert "s3cret" not in said
    assert indexes_have_no_passwords in CHECKS


@pytest.mark.parametrize("variable", VARIABLES)
def test_doctor_and_discover_tell_of_the_same_variables(clinic: Clinic, variable: str) -> None:
    clinic.environ[variable] = CLOSED
    room = clinic.room()

    [listed] = classify(all_indexes(clinic.project, room.user_dirs), room.configured.config)
    [said] = [words for _, words, _ in found(indexes_have_no_passwords, room)]

    assert [each.place.source for each in listed.with_password] == [variable]
    assert said.startswith(f"{variable}: ")
    assert "s3cret" not in said


LOGINS = {
    "PDM's source": (
        "pyproject.toml",
        f'[[tool.pdm.source]]\nname = "c"\nurl = "{URL}"\nusername = "me"\npassword = "s3cret"\n',
        {},
        "remove line 5 of {path}",
    ),
    "PDM's settings": (
        "~/.config/pdm/config.toml",
        f'[pypi]\nurl = "{URL}"\npassword = "s3cret"\n',
        {},
        "pdm config --delete pypi.password",
    ),
    ".pypirc": (
        "~/.pypirc",
        f"[corp]\nrepository = {URL}\nusername = me\npassword = s3cret\n",
        {},
        "remove line 4 of ~/.pypirc",
    ),
    "poetry's variable": (
        "pyproject.toml",
        f'[[tool.poetry.source]]\nname = "my-corp"\nurl = "{URL}"\n',
        {"POETRY_HTTP_BASIC_MY_CORP_PASSWORD": "s3cret"},
        "unset POETRY_HTTP_BASIC_MY_CORP_PASSWORD",
    ),
    "uv's publish": (
        "uv.toml",
        f'publish-url = "{URL}"\n',
        {"UV_PUBLISH_TOKEN": "s3cret"},
        "unset UV_PUBLISH_TOKEN",
    ),
    "twine's variable": (
        "x",
        "",
        {"TWINE_REPOSITORY_URL": URL, "TWINE_PASSWORD": "s3cret"},
        "unset TWINE_PASSWORD",
    ),
    "PDM's variable": (
        "x",
        "",
        {"PDM_PYPI_URL": URL, "PDM_PYPI_PASSWORD": "s3cret"},
        "unset PDM_PYPI_PASSWORD",
    ),
}


@pytest.mark.parametrize("name", LOGINS)
def test_password_beside_an_address_is_found_and_what_takes_it_away(clinic: Clinic, name: str) -> None:
    place, text, environ, repair = LOGINS[name]
    path = clinic.write(place, text)
    clinic.environ |= environ

    [(level, words, line)] = found(indexes_have_no_passwords, clinic.room())

    assert (level, line) == ("problem", repair.format(path=clinic.room().user_dirs.shown(path)))
    assert "s3cret" not in words


def test_password_that_poetry_keeps_in_its_own_file_is_found(clinic: Clinic) -> None:
    clinic.write("pyproject.toml", f'[[tool.poetry.source]]\nname = "corp"\nurl = "{URL}"\n')
    clinic.write("~/.config/pypoetry/auth.toml", '[http-basic.corp]\nusername = "me"\npassword = "s3cret"\n')

    [(_, words, line)] = found(indexes_have_no_passwords, clinic.room())

    assert words.startswith("~/.config/pypoetry/auth.toml line 3 has a password: poetry takes it")
    assert line == "poetry config --unset http-basic.corp"


@pytest.mark.parametrize(
    ("value", "client"), [("1", "uv"), ("yes", "uv"), ("0", "pdm"), ("No", "pdm"), ("", "pdm")]
)
def test_variable_of_pdm_says_whether_uv_reads_its_sources(clinic: Clinic, value: str, client: str) -> None:
    clinic.write("pyproject.toml", f'[[tool.pdm.source]]\nname = "c"\nurl = "{URL}"\n')
    clinic.write("pdm.toml", "use_uv = true\n")
    clinic.environ["PDM_USE_UV"] = value

    assert [each.client for each in all_indexes(clinic.project, clinic.room().user_dirs)] == [client]


@pytest.mark.parametrize("name", PLACES)
def test_index_without_a_user_name_is_found_where_its_client_needs_one(clinic: Clinic, name: str) -> None:
    furnish(clinic, name, URL)

    says = found(indexes_have_usernames, clinic.room())

    assert [PLACES[name][3] in words for _, words, _ in says] == [True] * (name in NEEDS_A_NAME)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tox-uv", "UV_DEFAULT_INDEX = {url}"),
        ("tox-toml", 'set_env.UV_INDEX_URL = "{url}"'),
        ("tox-pyproject", 'UV_DEFAULT_INDEX = "corp={url}"'),
        ("tox-list", 'install_command = ["uv", "pip", "install", "-i", "{url}", "{{packages}}"]'),
        ("hatch", 'UV_INDEX = "corp={url}"'),
        ("hatch-inline", 'env-vars = {{ UV_INDEX = "{url}" }}'),
        ("pixi", 'index-url = "{url}"'),
        ("pixi-more", 'extra-index-urls = ["{url}"]'),
        ("pixi-list", '"{url}", "https://other.example/simple/",'),
        ("uv-old", 'index-url = "{url}"'),
        ("uv-list", 'extra-index-url = ["https://other.example/simple/", "{url}"]'),
        ("uv", 'url = "{url}"'),
    ],
)
def test_line_to_write_is_one_of_the_file_and_cures(clinic: Clinic, name: str, line: str) -> None:
    path = furnish(clinic, name, URL)
    wanted = line.format(url=URL.replace("://", "://VssSessionToken@"))

    [(_, _, repair)] = found(indexes_have_usernames, clinic.room())
    lines = path.read_text().splitlines()
    number = PLACES[name][2] - 1
    indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
    lines[number] = f"{indent}{repair}"
    path.write_text("\n".join(lines))

    assert repair == wanted
    assert found(indexes_have_usernames, clinic.room()) == []


@pytest.mark.parametrize("place", [".pixi/config.toml", "~/.pixi/config.toml"])
def test_pixi_asks_where_its_own_setting_says_so(clinic: Clinic, place: str) -> None:
    furnish(clinic, "pixi", URL.replace("://", "://me@"))
    room = clinic.room()
    before = next(all_indexes(clinic.project, room.user_dirs)).obstacles
    clinic.write(place, '[pypi-config]\nkeyring-provider = "subprocess"\n')

    after = next(all_indexes(clinic.project, room.user_dirs)).obstacles

    assert (before, after) == ((Obstacle.PROVIDER_OFF,), ())


@pytest.mark.parametrize(
    "text",
    ["[testenv]\nset_env = PIP_INDEX_URL={env:X}\n", "[testenv]\ninstall_command = 'pip\n", "[testenv\n"],
)
def test_tox_file_that_names_no_address_has_none(clinic: Clinic, text: str) -> None:
    clinic.write("tox.ini", text)

    assert not [each for each in all_indexes(clinic.project, clinic.room().user_dirs) if each.is_remote]


def test_line_that_says_more_than_addresses_is_not_shown(clinic: Clinic) -> None:
    clinic.write("hatch.toml", f'[envs.test]\nenv-vars = {{ UV_INDEX = "{URL}", TOKEN = "s3cret" }}\n')

    [(_, words, repair)] = found(indexes_have_usernames, clinic.room())

    assert (repair, "s3cret" in words) == (None, False)


def test_line_to_write_has_no_password_of_another_index(clinic: Clinic) -> None:
    other = "https://me:s3cret@other.example/simple/"
    clinic.write("pixi.toml", f'[pypi-options]\nextra-index-urls = ["{other}", "{URL}"]\n')

    [(_, _, repair)] = found(indexes_have_usernames, clinic.room())

    named = URL.replace("://", "://VssSessionToken@")
    assert repair == f'extra-index-urls = ["https://me@other.example/simple/", "{named}"]'
