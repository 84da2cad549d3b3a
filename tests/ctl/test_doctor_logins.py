"""What the doctor finds in an index of ours that keeps its client from asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.doctor import client_logins, library_backends
from broker.ctl.doctor.index_usernames import indexes_have_usernames
from tests.ctl.clinic import found

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ctl.clinic import Check, Clinic

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
PLAIN = "https://packages.example/simple/"
AS_USER = AZURE.replace("//", "//VssSessionToken@")
STALE = AZURE.replace("//", "//dev:an-old-password@")
AS_DEV = AZURE.replace("//", "//dev@")
FEED = f"""[[feed]]
url = "{PLAIN}"
provider = "basic"
username = "ci"
secret = "netrc"
"""
INDEX = '[[tool.uv.index]]\nname = "corp"\nurl = "{}"\n'


def only(check: Check, clinic: Clinic) -> tuple[str, str, str | None]:
    [finding] = found(check, clinic.room())
    return finding


@pytest.mark.parametrize(
    ("place", "text", "said", "line"),
    [
        (
            "pyproject.toml",
            INDEX.format(STALE),
            'pyproject.toml line 3: index "corp" has a password',
            f'url = "{AS_DEV}"',
        ),
        (
            "~/.config/pip/pip.conf",
            f"[global]\nindex-url = {STALE}\n",
            "~/.config/pip/pip.conf line 2",
            f"index-url = {AS_DEV}",
        ),
        (
            "~/.config/pip/pip.conf",
            f"[global]\nindex-url = {STALE.replace('an-old-password', '${TOKEN}')}\n",
            "~/.config/pip/pip.conf line 2",
            f"index-url = {AS_DEV}",
        ),
        (
            "~/.config/pip/pip.conf",
            f"[global]\nindex-url = {STALE.replace('dev:an-old-password', '${USER}:${TOKEN}')}\n",
            "~/.config/pip/pip.conf line 2",
            f"index-url = {AS_USER}",
        ),
        (
            "requirements.txt",
            f"--extra-index-url {STALE}\n",
            "requirements.txt line 1",
            f"--extra-index-url {AS_DEV}",
        ),
    ],
)
def test_a_password_in_a_file_is_found(clinic: Clinic, place: str, text: str, said: str, line: str) -> None:
    clinic.write(place, text)

    level, words, repair = only(client_logins.indexes_have_no_passwords, clinic)

    assert (level, repair) == ("problem", line)
    assert said in words
    assert "an-old-password" not in words


@pytest.mark.parametrize(
    ("environ", "said", "line"),
    [
        ({"UV_INDEX_URL": STALE}, "UV_INDEX_URL", f"export UV_INDEX_URL={AS_DEV}"),
        ({"PIP_INDEX_URL": STALE}, "PIP_INDEX_URL", f"export PIP_INDEX_URL={AS_DEV}"),
        (
            {
                "UV_DEFAULT_INDEX": f"corp={AZURE}",
                "UV_INDEX_CORP_USERNAME": "dev",
                "UV_INDEX_CORP_PASSWORD": "old",
            },
            "UV_INDEX_CORP_PASSWORD is set",
            "unset UV_INDEX_CORP_PASSWORD",
        ),
    ],
)
def test_a_password_in_a_variable_is_found(
    clinic: Clinic, environ: dict[str, str], said: str, line: str
) -> None:
    clinic.environ |= environ

    _, words, repair = only(client_logins.indexes_have_no_passwords, clinic)

    assert said in words
    assert repair == line


@pytest.mark.parametrize(
    ("check", "url"),
    [
        (client_logins.indexes_ask_as_the_feeds_user, PLAIN.replace("//", "//ghp_0123456789abcdefghij@")),
        (client_logins.indexes_have_no_passwords, PLAIN.replace("//", "//ghp_0123456789abcdefghij:old@")),
    ],
)
def test_a_user_name_that_may_be_a_token_is_not_told(clinic: Clinic, check: Check, url: str) -> None:
    clinic.configure(FEED)
    clinic.write("pyproject.toml", INDEX.format(url))

    _, words, repair = only(check, clinic)

    assert "ghp_" not in f"{words}{repair}"
    assert repair == 'url = "https://ci@packages.example/simple/"'


def test_another_user_than_the_feeds_is_found(clinic: Clinic) -> None:
    clinic.configure(FEED)
    clinic.write("pyproject.toml", INDEX.format(PLAIN.replace("//", "//jane@")))

    _, words, repair = only(client_logins.indexes_ask_as_the_feeds_user, clinic)

    assert words.endswith('line 3: index "corp" says jane, and the feed answers ci')
    assert repair == f'url = "{PLAIN.replace("//", "//ci@")}"'


@pytest.mark.parametrize(("secret", "user"), [("netrc", "robot"), ("keyring:packages:jo", "jo")])
def test_another_user_than_the_one_that_the_secret_comes_with_is_found(
    clinic: Clinic, secret: str, user: str
) -> None:
    clinic.configure(FEED.replace('username = "ci"\n', "").replace("netrc", secret))
    clinic.write("~/.netrc", "machine packages.example login robot password s3cret\n")
    clinic.write("pyproject.toml", INDEX.format(PLAIN.replace("//", "//__token__@")))

    _, words, repair = only(client_logins.indexes_ask_as_the_feeds_user, clinic)

    assert words.endswith(f'index "corp" says __token__, and the feed answers {user}')
    assert repair == f'url = "{PLAIN.replace("//", f"//{user}@")}"'


def test_an_index_that_is_never_asked_for_is_found(clinic: Clinic) -> None:
    clinic.write("pyproject.toml", f'{INDEX.format(AS_DEV)}authenticate = "never"\n')

    assert only(client_logins.uv_may_send_passwords, clinic)[2] == 'authenticate = "always"'


def old_environment(clinic: Clinic, version: str) -> None:
    """An active environment with this pip."""
    (clinic.home / f"venv/lib/python3.11/site-packages/pip-{version}.dist-info").mkdir(parents=True)
    clinic.environ["VIRTUAL_ENV"] = str(clinic.home / "venv")


@pytest.mark.parametrize(("version", "count"), [("26.1", 1), ("26.2", 0)])
def test_requirements_without_a_user_are_found_where_the_pip_is_old(
    clinic: Clinic, version: str, count: int
) -> None:
    old_environment(clinic, version)
    clinic.write("requirements.txt", f"--index-url {AZURE}\n")

    told = found(client_logins.old_pip_has_usernames, clinic.room())

    assert [repair for _, _, repair in told] == [f"--index-url {AS_USER}"] * count


@pytest.mark.parametrize(
    ("key", "variable"), [("index-url", "UV_DEFAULT_INDEX"), ("extra-index-url", "UV_INDEX")]
)
def test_a_feed_that_pip_alone_is_told_of_is_found_where_uv_is_used(
    clinic: Clinic, key: str, variable: str
) -> None:
    clinic.program("uv")
    clinic.write("uv.lock", "version = 1\n")
    clinic.write("~/.config/pip/pip.conf", f"[global]\n{key} = {AZURE}\n")

    level, _, repair = only(client_logins.uv_sees_the_feeds_of_pip, clinic)

    assert (level, repair) == ("warning", f"export {variable}={AS_USER}")


UV_IS_USED = {
    "lock": ("uv.lock", "version = 1\n"),
    "settings": ("uv.toml", "offline = false\n"),
    "project": ("pyproject.toml", "[tool.uv]\npackage = false\n"),
    "environment": (".venv/pyvenv.cfg", "home = /usr/bin\nuv = 0.13.9\n"),
    "compiled": (
        "requirements.txt",
        "# This file was autogenerated by uv via the following command:\nidna==3\n",
    ),
}


@pytest.mark.parametrize("name", UV_IS_USED)
def test_what_shows_that_uv_is_used_is_named(clinic: Clinic, name: str) -> None:
    clinic.program("uv")
    clinic.write(*UV_IS_USED[name])
    clinic.environ["PIP_EXTRA_INDEX_URL"] = AZURE

    level, words, repair = only(client_logins.uv_sees_the_feeds_of_pip, clinic)

    assert (level, repair) == ("warning", f"export UV_INDEX={AS_USER}")
    assert words.endswith(f"{UV_IS_USED[name][0]} shows it)")


@pytest.mark.parametrize("text", ["", "home = /usr/bin\n"])
def test_where_nothing_shows_uv_nothing_is_said_of_it(clinic: Clinic, text: str) -> None:
    clinic.program("uv")
    clinic.write(".venv/pyvenv.cfg", text)
    clinic.write("pyproject.toml", "[project]\n")
    clinic.write("requirements.txt", f"--index-url {AZURE}\n")
    clinic.environ["PIP_INDEX_URL"] = AZURE

    assert found(client_logins.uv_sees_the_feeds_of_pip, clinic.room()) == []
    assert found(indexes_have_usernames, clinic.room()) == []


@pytest.mark.parametrize("name", UV_IS_USED)
def test_requirements_without_a_user_are_found_where_uv_is_used(clinic: Clinic, name: str) -> None:
    clinic.program("uv")
    clinic.write(*UV_IS_USED[name])
    head = UV_IS_USED["compiled"][1].partition("\n")[0] if name == "compiled" else "#"
    clinic.write("requirements.txt", f"{head}\n--index-url {AZURE}\n")

    level, words, repair = only(indexes_have_usernames, clinic)

    assert (level, repair) == ("problem", f"--index-url {AS_USER}")
    assert words.endswith(
        'requirements.txt line 2: an index without a name has no user name and no authenticate = "always": '
        "uv will never ask"
    )


def test_a_feed_that_uv_is_told_of_too_is_fine(clinic: Clinic) -> None:
    clinic.program("uv")
    clinic.write("uv.lock", "version = 1\n")
    clinic.write("pyproject.toml", INDEX.format(AS_DEV))
    clinic.write("~/.config/pip/pip.conf", f"[global]\nindex-url = {AZURE}\n")

    assert found(client_logins.uv_sees_the_feeds_of_pip, clinic.room()) == []


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("tool.py", f'# /// script\n# [[tool.uv.index]]\n# url = "{AZURE}"\n# ///\n'),
        ("member/pyproject.toml", f'[[tool.uv.index]]\n\nurl = "{AZURE}"\n'),
        ("~/.local/share/uv/tools/app/uv-receipt.toml", f'[tool]\n[[tool.options.index]]\nurl = "{AZURE}"\n'),
    ],
)
def test_indexes_of_scripts_members_and_installed_tools_are_uvs(
    clinic: Clinic, place: str, text: str
) -> None:
    clinic.write("pyproject.toml", '[tool.uv.workspace]\nmembers = ["mem*"]\n')
    clinic.write(place, text)

    level, words, repair = only(indexes_have_usernames, clinic)

    assert (level, repair) == ("problem", f'url = "{AS_USER}"')
    assert f"{place} line 3" in words


def client_environment(clinic: Clinic, folder: str, name: str, *packages: str) -> Path:
    """An environment with a client, whose program is on PATH, and these modules."""
    python = clinic.write(f"~/{folder}/bin/python3", "", 0o755)
    program = clinic.write(f"~/{folder}/bin/{name}", f"#!{python}\n", 0o755)
    site = clinic.home / folder / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    for package in packages:
        path = site / package
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (clinic.programs / name).symlink_to(program)
    return python


LIBRARY = "keyring/__init__.py"


@pytest.mark.parametrize(
    ("folder", "packages", "lacks", "line"),
    [
        (
            ".local/share/pipx/venvs/poetry",
            (LIBRARY,),
            "our backend",
            "brokerctl setup --clients",
        ),
        (
            ".local/share/uv/tools/poetry",
            (LIBRARY,),
            "our backend",
            "brokerctl setup --clients",
        ),
        (
            ".local/share/pipx/venvs/poetry",
            (),
            "the keyring library",
            "pipx inject poetry wheels/token_broker_client-*.whl keyring",
        ),
        (
            "px/venvs/poetry",
            (LIBRARY, "../../../pipx_metadata.json"),
            "our backend",
            "brokerctl setup --clients",
        ),
        (
            "px/venvs/poetry",
            ("../../../pipx_metadata.json",),
            "the keyring library",
            "PIPX_HOME={home}/px pipx inject poetry wheels/token_broker_client-*.whl keyring",
        ),
        ("t/poetry", (LIBRARY, "../../../uv-receipt.toml"), "our backend", "brokerctl setup --clients"),
        (
            "t/poetry",
            ("../../../uv-receipt.toml",),
            "the keyring library",
            (
                "UV_TOOL_DIR={home}/t uv tool install poetry "
                "--with wheels/token_broker_client-*.whl --with keyring"
            ),
        ),
    ],
)
def test_a_library_client_without_our_backend_is_found(
    clinic: Clinic, folder: str, packages: tuple[str, ...], lacks: str, line: str
) -> None:
    clinic.configure(FEED)
    client_environment(clinic, folder, "poetry", *packages)

    level, words, repair = only(library_backends.library_clients_have_the_backend, clinic)

    assert (level, repair) == ("warning", line.format(home=clinic.home))
    assert words == f"poetry asks no broker: ~/{folder} lacks {lacks}"


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_client_whose_script_begins_with_a_shell_is_looked_into(clinic: Clinic, quote: str) -> None:
    clinic.configure(FEED)
    python = client_environment(clinic, "Application Support/pipx/venvs/poetry", "poetry", LIBRARY)
    text = f"#!/bin/sh\n'''exec' {quote}{python}{quote} \"$0\" \"$@\"\n' '''\nimport sys\n"
    (python.parent / "poetry").write_text(text)

    assert only(library_backends.library_clients_have_the_backend, clinic)[2] == "brokerctl setup --clients"


def test_a_library_client_of_another_environment_gets_the_command_of_its_python(clinic: Clinic) -> None:
    clinic.configure(FEED)
    python = client_environment(clinic, "venv", "twine", LIBRARY)

    repair = only(library_backends.library_clients_have_the_backend, clinic)[2]

    assert repair == f"{python} -m pip install wheels/token_broker_client-*.whl"


@pytest.mark.parametrize("file", ["token_broker_keyring.py", "token-broker-client.pth"])
def test_a_library_client_with_our_backend_is_fine(clinic: Clinic, file: str) -> None:
    clinic.configure(FEED)
    client_environment(clinic, "venv", "twine", LIBRARY, file)

    assert found(library_backends.library_clients_have_the_backend, clinic.room()) == []


@pytest.mark.parametrize(
    ("place", "variable", "named"),
    [
        (".venv", None, ".venv"),
        ("../.venv", None, "{root}/.venv"),
        ("../made", "made", "{root}/made"),
        ("made", "made", "made"),
    ],
    ids=["project", "workspace", "workspace, by the variable", "by the variable"],
)
def test_a_keyring_in_the_projects_environment_is_found(
    clinic: Clinic, place: str, variable: str | None, named: str
) -> None:
    clinic.configure(FEED)
    python = client_environment(clinic, "venv", "keyring", LIBRARY)
    (clinic.project / place).symlink_to(python.parent.parent)
    clinic.environ |= {} if variable is None else {"UV_PROJECT_ENVIRONMENT": variable}

    level, _, repair = only(library_backends.keyring_of_the_project_leads_here, clinic)

    named = named.replace("{root}", str(clinic.project.parent))
    assert level == "warning"
    assert repair == f"uv pip install --python {named} wheels/token_broker_client-*.whl"
