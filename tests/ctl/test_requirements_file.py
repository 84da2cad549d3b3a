"""Index options of requirements files, case by case by pip's page "Requirements File Format"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.pip import pip_indexes
from broker.ctl.clients.requirements_file import index_options
from broker.ctl.setup.user_dirs import UserDirs
from tests.ctl.homes import write

if TYPE_CHECKING:
    from pathlib import Path

A = "https://a.example/simple"
B = "https://b.example/simple"

NAMED = {
    "short": (f"-i {A}", [A]),
    "short, joined": (f"-i{A}", [A]),
    "long": (f"--index-url {A}", [A]),
    "with an equals sign": (f"--index-url={A}", [A]),
    "the older name": (f"--pypi-url {A}", [A]),
    "an abbreviation": (f"--extra {A}", [A]),
    "indented": (f"   --extra-index-url {A}", [A]),
    "quoted": (f"--index-url '{A}'", [A]),
    "two on a line": (f"-i {A} --extra-index-url {B}", [A, B]),
    "beside other options": (f"--no-binary :all: --pre -i {A}", [A]),
    "continued": (f"--index-url \\\n  {A}", [A]),
    "continued to the end of the file": (f"-i {A} \\", [A]),
    "before a comment": (f"-i {A} # -i {B}", [A]),
    "a fragment, no comment": (f"-i {A}#x", [f"{A}#x"]),
    "a comment": (f"# -i {A}", []),
    "a comment is not continued": (f"# x \\\n-i {A}", [A]),
    "after a requirement": (f"demo==1 --index-url {A}", []),
    "a continued requirement's hash": (f"demo==1 \\\n  --hash=sha256:00\n-i {A}", [A]),
    "an option that pip refuses": (f"--colour -i {A}", []),
    "an open quote": (f"-i '{A}", []),
    "a byte order mark": (f"\ufeff-i {A}", [A]),
}


@pytest.mark.parametrize(("text", "urls"), NAMED.values(), ids=NAMED)
def test_indexes_are_those_that_pip_reads(tmp_path: Path, text: str, urls: list[str]) -> None:
    write(tmp_path / "requirements.txt", text)

    assert [each.url for each in index_options(tmp_path / "requirements.txt", {})] == urls


@pytest.mark.parametrize(
    "option", ["-r sub/more.txt", "--requirement=sub/more.txt", "-c sub/more.txt", "-r ${FOLDER}/more.txt"]
)
def test_files_that_a_file_names_are_read_from_its_folder(tmp_path: Path, option: str) -> None:
    write(tmp_path / "requirements.txt", f"{option}\n-i {A}\n")
    write(tmp_path / "sub/more.txt", f"-r last.txt\n-i {B}\n")
    write(tmp_path / "sub/last.txt", "-r ../requirements.txt\n-r https://c.example/x.txt\n-r absent.txt\n")

    found = index_options(tmp_path / "requirements.txt", {"FOLDER": "sub"})

    assert [(each.url, each.path.name, each.line) for each in found] == [
        (B, "more.txt", 2),
        (A, "requirements.txt", 2),
    ]


@pytest.mark.parametrize(
    ("written", "url", "place", "has_password"),
    [
        ("https://${HOST}/simple", A, "requirements.txt", False),
        ("https://${UNSET}/simple", "https://${UNSET}/simple", "requirements.txt", False),
        ("https://${host}/simple", "https://${host}/simple", "requirements.txt", False),
        (
            "https://ci:${TOKEN}@${HOST}/simple",
            "https://ci:${TOKEN}@a.example/simple",
            "requirements.txt",
            True,
        ),
        ("https://${TOKEN}@a.example/simple", "https://${TOKEN}@a.example/simple", "requirements.txt", False),
        ("${WHOLE}", "https://ci:s3cret@a.example/simple", "WHOLE", True),
    ],
)
def test_variables_stand_for_the_address_and_secrets_stay_unread(
    tmp_path: Path, written: str, url: str, place: str, *, has_password: bool
) -> None:
    write(tmp_path / "requirements.txt", f"-i {written}\n")
    environ = {
        "HOST": "a.example",
        "host": "b.example",
        "TOKEN": "s3cret",
        "WHOLE": f"https://ci:s3cret@{A[8:]}",
    }

    [index] = pip_indexes(tmp_path, UserDirs(tmp_path / "home", environ))

    source = index.place.source
    assert (index.url, index.has_password) == (url, has_password)
    assert (source if isinstance(source, str) else source.name) == place
