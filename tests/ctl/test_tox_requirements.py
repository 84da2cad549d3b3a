"""The requirements files that tox's `deps` lead to, under names that pip's own rules do not find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.doctor.client_logins import indexes_have_no_passwords
from tests.ctl.clinic import found

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

URL = "https://packages.example.com/simple/"
AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
DEPS = {
    "tox.ini": ("tox.ini", "[testenv]\ndeps =\n  x\n  {line}\n"),
    "one environment": ("tox.ini", "[testenv:lint]\ndeps = {line}\n"),
    "tox-uv": ("tox.ini", "[tox]\nrequires = tox-uv>=1\n[testenv]\ndeps = {line}\n"),
    "setup.cfg": ("setup.cfg", "[tox:tox]\n[testenv]\ndeps = {line}\n"),
    "legacy": ("pyproject.toml", '[tool.tox]\nlegacy_tox_ini = """\n[testenv]\ndeps = {line}\n"""\n'),
    "tox.toml": ("tox.toml", '[env_run_base]\ndeps = ["x", "{line}"]\n'),
    "pyproject.toml": ("pyproject.toml", '[tool.tox.env.lint]\ndeps = ["{line}"]\n'),
}
LINES = (
    "-r deps/ci.txt",
    "-rdeps/ci.txt",
    "--requirement=deps/ci.txt",
    "-c deps/ci.txt",
    "-r{toxinidir}/deps/ci.txt",
    "-c {tox_root}{/}deps{/}ci.txt",
    "-r deps/../deps/ci.txt  # why",
)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", DEPS)
def test_the_index_of_a_file_that_deps_name_is_found(clinic: Clinic, kind: str, line: str) -> None:
    name, text = DEPS[kind]
    clinic.write(name, text.replace("{line}", line))
    path = clinic.write("deps/ci.txt", f"x\n--extra-index-url {URL}\n")

    [index] = all_indexes(clinic.project, clinic.room().user_dirs)

    client = "uv" if kind == "tox-uv" else "pip"
    assert (index.client, index.url) == (client, URL)
    assert (index.place.source, index.place.line) == (path, 2)


def test_a_file_leads_to_further_ones(clinic: Clinic) -> None:
    clinic.write("tox.ini", "[testenv]\ndeps = -r deps/ci.txt\n")
    clinic.write("deps/ci.txt", "-r more.txt\n")
    clinic.write("deps/more.txt", f"-i {URL}\n")

    assert [each.url for each in all_indexes(clinic.project, clinic.room().user_dirs)] == [URL]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements/ci.txt"])
def test_a_file_that_pip_s_rules_find_is_told_once(clinic: Clinic, name: str) -> None:
    clinic.write("tox.ini", f"[testenv]\ndeps = -r {name}\n[testenv:lint]\ndeps = -r {name}\n")
    clinic.write(name, f"-i {URL}\n")

    assert [each.client for each in all_indexes(clinic.project, clinic.room().user_dirs)].count("pip") == 1


@pytest.mark.parametrize(
    "line",
    ["-r https://a.example/ci.txt", "-r absent.txt", "-r {env:FILE}", "-r {toxworkdir}/x.txt", "ci.txt"],
)
def test_what_is_no_file_here_names_no_index(clinic: Clinic, line: str) -> None:
    clinic.write("tox.ini", f"[testenv]\ndeps = {line}\n")
    clinic.write("ci.txt", f"-i {URL}\n")

    assert list(all_indexes(clinic.project, clinic.room().user_dirs)) == []


def test_the_doctor_finds_a_password_in_such_a_file(clinic: Clinic) -> None:
    clinic.write("tox.ini", "[testenv]\ndeps = -r deps/ci.txt\n")
    clinic.write("deps/ci.txt", f"-i {AZURE.replace('://', '://me:s3cret@')}\n")

    said = found(indexes_have_no_passwords, clinic.room())

    assert len(said) == 1
    assert "deps/ci.txt" in said[0][1]
