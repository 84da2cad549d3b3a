"""Settings files of other programs that are no files, have no end, or hold what nobody would write.

Reading them ends, raises nothing, and takes nothing from another user; `exec` runs its command all the same.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.ctl.clients import foreign_files, requirements_file, settings_text
from broker.ctl.clients.all_indexes import all_indexes, looked_at
from broker.ctl.clients.foreign_files import toml_file
from broker.ctl.clients.library_clients import library_client
from broker.ctl.clients.requirements_file import index_options
from broker.ctl.clients.time_limit import TooSlowError, at_most
from broker.ctl.clients.uv import indexes_to_name_a_user_for, uv_indexes
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.shadowing_passwords import netrc_shadows, uv_store_shadows
from broker.ctl.setup.user_dirs import UserDirs
from tests.ctl.test_exec import BROKERCTL, run
from tests.host.users import STRANGER, run_as, two_users
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

CORP = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
INDEX = f'[[tool.uv.index]]\nname = "corp"\nurl = "{CORP}"\n'
BRACKETS = "x = " + "[" * 60_000
ONE_KEY = "a." * 100_000 + "a = 1"
PLACES = (
    "project/uv.toml",
    "project/pyproject.toml",
    "project/requirements.txt",
    "project/Pipfile",
    "project/script.py",
    "home/.config/uv/uv.toml",
    "home/.config/pip/pip.conf",
    "home/.pip/pip.conf",
    "home/.pypirc",
    "home/.netrc",
    "home/.config/pypoetry/config.toml",
    "home/.config/pdm/config.toml",
    "home/.local/share/uv/credentials/credentials.toml",
    "home/.local/share/uv/tools/black/uv-receipt.toml",
    "home/bin/poetry",
)
"""Every file of another program that brokerctl reads."""


def reasons(room: Path) -> list[str]:
    """Read everything that exec, discover and doctor read; the reasons of what was passed over."""
    directory, user_dirs = room / "project", UserDirs(room / "home", {})
    library_client("poetry", room / "home/bin/poetry")
    list(indexes_to_name_a_user_for(uv_indexes(directory, user_dirs), {}))
    list(all_indexes(directory, user_dirs))
    context = DoctorContext(user_dirs, directory, ask=lambda: pytest.fail("the files alone"))
    context.__dict__["feeds"] = []
    list(netrc_shadows(context))
    list(uv_store_shadows(context))
    return [why for path, why in looked_at(directory, user_dirs).unread if path.is_relative_to(room)]


def put(room: Path, place: str, content: bytes) -> None:
    path = room / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(autouse=True)
def _parsed_anew() -> None:
    """No text is known from another test, which may have had other patience."""
    settings_text.toml_text.cache_clear()
    settings_text.ini_text.cache_clear()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the usual patience."""
    monkeypatch.setattr(foreign_files, "FILE_S", 0.2)
    monkeypatch.setattr(settings_text, "PARSE_S", 0.2)
    monkeypatch.setattr(requirements_file, "FILES_S", 0.2)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_long_name(path: Path) -> None:
    path.symlink_to("x" * 300)


def a_huge_one(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize("make", [a_pipe, a_folder, an_endless_device, a_loop, a_long_name, a_huge_one])
def test_what_is_no_file_is_passed_over(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    for place in PLACES:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    silent = {".netrc", "credentials.toml", "poetry"}
    if make is a_huge_one:
        silent |= {"requirements.txt", "script.py"}  # their beginnings are read
    assert len(reasons(tmp_path)) == sum(Path(place).name not in silent for place in PLACES)


SLOW = {
    "project/pyproject.toml": ONE_KEY,
    "home/.config/pip/pip.conf": "[a]\na" + " " * 900_000 + "b",
    "project/requirements.txt": "-i " + "x" * 900_000 + "\n" + " " * 99_999 + "x\n-r requirements.txt\n",
}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("place", few(SLOW, 1))
def test_text_that_was_made_to_be_slow_is_given_up(place: str, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    put(tmp_path, place, SLOW[place].encode())

    assert reasons(tmp_path) == ([] if "requirements" in place else ["it takes longer than 0.2 s to read"])


def test_requirements_that_lead_in_a_circle_and_to_a_pipe_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "requirements.txt").write_text(
        f"-r pipe\n-r requirements.txt\n-r nul\0\n-r /dev/zero\n-i {CORP}\n"
    )

    assert [each.url for each in index_options(tmp_path / "requirements.txt", {})] == [CORP]


shapes = st.recursive(
    st.one_of(
        st.integers(),
        st.sampled_from(
            ['""', '"x"', f'"{CORP}"', "true", "1.5", "1979-05-27", "0x" + "f" * 5000, '"http://["']
        ),
    ).map(str),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(st.sampled_from(["url", "name", "index"]), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=6,
)
KEYS = (
    "tool.uv",
    "tool.uv.index",
    "tool.uv.pip",
    "tool.uv.extra-index-url",
    "tool.uv.keyring-provider",
    "tool.uv.publish-url",
    "tool.uv.workspace",
    "tool.uv.workspace.members",
    "tool.options.index",
    "source",
    "tool.poetry.source",
    "tool.pdm.source",
    "tool",
    "index",
    "keyring-provider",
    "extra-index-url",
    "keyring",
    "repositories",
    "repository",
    "repositories.a",
    "pypi",
    "pypi.a",
    "credential",
)
odd_toml = st.dictionaries(st.sampled_from(KEYS), shapes, max_size=3).map(
    lambda table: "\n".join(f"{key} = {value}" for key, value in table.items())
)
WORDS = """
[a] [install] [global] [[index]] [ ] index-url= repository= keyring-provider= -r -c -i :// @ : ' " $
--extra-index-url= ${HOME} %(x)s requirements.txt machine login password default macdef http://["""
words = st.sampled_from(
    [
        *WORDS.split(),
        CORP,
        "\\\n",
        "\n",
        " ",
        " #",
        "# /// script\n# ",
        "\n# ///\n",
        "#!/",
        "\0",
        "\ufeff",
        "\x85",
        "\u2028",
        "\r",
    ]
)
odd_text = st.one_of(odd_toml, st.lists(st.one_of(words, st.text(max_size=8)), max_size=12).map("".join))
odd_bytes = st.one_of(odd_text.map(lambda text: text.encode(errors="replace")), st.binary(max_size=60))


@given(st.dictionaries(st.sampled_from(PLACES), odd_bytes, min_size=1, max_size=len(PLACES)))
@example(dict.fromkeys(PLACES, BRACKETS.encode()))
@example(dict.fromkeys(PLACES, b"x = " + b"{x = " * 20_000))
@example(dict.fromkeys(PLACES, b"x = " + b"9" * 5000))
@example({"project/uv.toml": b"index = [[]]", "project/pyproject.toml": b"tool.uv = 3"})
@example({"project/uv.toml": b"keyring-provider = 0x" + b"f" * 5000})
@example({"project/uv.toml": b'index = [{url = "https://a/", name = 0x' + b"f" * 5000 + b"}]"})
def test_whatever_stands_in_the_files_is_read_to_an_end_and_raises_nothing(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        (room / "project").mkdir()
        for place, content in files.items():
            put(room, place, content)

        reasons(room)


def test_names_that_the_system_refuses_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    user_dirs = UserDirs(tmp_path / "home", {"PIP_CONFIG_FILE": "x" * 5000, "UV_CONFIG_FILE": "y" * 5000})

    list(all_indexes(tmp_path / "project", user_dirs))
    assert {why for _, why in looked_at(tmp_path / "project", user_dirs).unread} == {
        "it cannot be read: file name too long"
    }


def test_limits_do_not_nest(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(ONE_KEY)

    with pytest.raises(TooSlowError), at_most(0.2):
        toml_file(tmp_path / "uv.toml")


def pyproject_of(project: Path, content: str) -> None:
    (project / "pyproject.toml").write_text(content)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(BRACKETS, "it is nested too deeply", id="brackets"),
        pytest.param(None, "it is a named pipe, not a regular file", id="pipe"),
        pytest.param("[tool.uv]\nindex = [[]]\nkeyring-provider = 0x" + "f" * 5000, "", id="shapes"),
    ],
)
def test_exec_runs_its_command_whatever_the_project_holds(
    content: str | None, why: str, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    if content is None:
        os.mkfifo(project / "pyproject.toml")
    else:
        pyproject_of(project, content)

    ended = run("echo", "ran", cwd=project)

    assert (ended.exit_code, ended.stdout) == (0, "ran\n")
    assert ended.stderr == (f"token-broker: {project}/pyproject.toml is passed over: {why}\n" if why else "")


@pytest.mark.usefixtures("room")
def test_exec_runs_its_command_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = shlex.join([str(BROKERCTL), "exec", "echo", "ran"])

    done = subprocess.run(
        ["sh", "-c", f'cd "$1" && rmdir "$1" && {words}', "sh", gone],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "ran\n")


@pytest.fixture
def below_shared() -> Iterator[Path]:
    """A project of ours in a folder that another user can write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        (Path(name) / "project").mkdir()
        yield Path(name) / "project"


@two_users
def test_files_of_another_user_above_the_project_are_not_read(
    below_shared: Path, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = below_shared.parent
    program = (
        "import os, sys\nos.chdir(sys.argv[1])\n"
        "os.mkfifo('uv.toml')\nopen('pyproject.toml', 'w').write(sys.argv[2])"
    )
    run_as(STRANGER, program, str(above), INDEX)
    user_dirs = UserDirs(above / "home", {})
    monkeypatch.chdir(below_shared)

    assert list(all_indexes(below_shared, user_dirs)) == []
    assert dict(looked_at(below_shared, user_dirs).unread) == {
        above / "uv.toml": "it is a named pipe, not a regular file",
        above / "pyproject.toml": f"it belongs to another user (uid {STRANGER})",
    }
    shown = brokerctl("discover", "--offline")
    assert f"pyproject.toml is passed over: it belongs to another user (uid {STRANGER})" in shown.stdout


@two_users
def test_members_scripts_and_a_pipfile_of_another_user_are_not_read(below_shared: Path) -> None:
    pyproject_of(below_shared, '[tool.uv.workspace]\nmembers = ["*"]\n')
    script = f'# /// script\n# [[tool.uv.index]]\n# url = "{CORP}"\n# ///\n'
    pipfile = f'[[source]]\nurl = "{CORP}"\n'
    for place, content in (("member/pyproject.toml", INDEX), ("a.py", script), ("Pipfile", pipfile)):
        put(below_shared, place, content.encode())
    user_dirs = UserDirs(below_shared / "home", {})
    ours = [each.client for each in all_indexes(below_shared, user_dirs)]
    for path in (below_shared / "member" / "pyproject.toml", below_shared / "a.py", below_shared / "Pipfile"):
        os.chown(path, STRANGER, STRANGER)

    assert ours == ["uv", "uv", "pipenv"]
    assert list(all_indexes(below_shared, user_dirs)) == []
    names = [path.name for path, _ in looked_at(below_shared, user_dirs).unread]
    assert names == ["pyproject.toml", "a.py"]  # a Pipfile further up would be taken


@two_users
def test_a_folder_of_another_user_above_the_project_is_not_believed(below_shared: Path) -> None:
    pyproject_of(below_shared.parent, INDEX)
    os.chown(below_shared.parent, STRANGER, STRANGER)

    assert list(uv_indexes(below_shared, UserDirs(below_shared / "home", {}))) == []


@two_users
def test_a_checkout_of_another_uid_is_read_where_the_command_runs_in_it(below_shared: Path) -> None:
    pyproject_of(below_shared, INDEX)
    for path in (below_shared, below_shared / "pyproject.toml"):
        os.chown(path, STRANGER, STRANGER)

    assert [each.url for each in uv_indexes(below_shared, UserDirs(below_shared / "home", {}))] == [CORP]
