"""Socket paths that cannot be, or hardly would: told in one line, alike by both shims and the daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.contract.conftest import Session, installed
from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.contract.shims import RUN_LIMIT_S, Ended, Shim, compiler, ended
from tests.sampling import few

URL = "https://feed.example/simple/"
BROKERD = Path(sysconfig.get_path("scripts"), "brokerd")
LIMIT = 103 if sys.platform == "darwin" else 107

NO_FILE = "TOKEN_BROKER_SOCKET names no file; run: unset TOKEN_BROKER_SOCKET"
RELATIVE = "TOKEN_BROKER_SOCKET is not an absolute path; run: unset TOKEN_BROKER_SOCKET"
TOO_LONG = f"the socket's path is longer than {LIMIT} bytes; run: export TOKEN_BROKER_SOCKET=/a/shorter/path"

REFUSED = {
    **dict.fromkeys(("/", "//", "///", "/.", "/..", "/./", "/" * 4095), NO_FILE),
    **dict.fromkeys(("PLACE/", "PLACE//", "PLACE/.", "PLACE/..", "PLACE/new/", "PLACE/new/."), NO_FILE),
    **dict.fromkeys((".", "..", "./", "x", "x/", "x/y", "@x", "~/x"), RELATIVE),
    **dict.fromkeys(("/" + "x" * 4094, "/" * 4094 + "x", "/x" * 2047 + "x"), TOO_LONG),
}
"""What is said whatever is there. PLACE is a folder of ours, of mode 0700."""
FOR_THE_DAEMON = ("/", "//", "/.", "PLACE/new/", "PLACE/.", ".", "@x", "/" * 4095, "/" + "x" * 4094)

IN_ROOT = ("/x.sock", "//x.sock", "///x.sock", "/./x.sock", "/../x.sock", "/.x", "/...")
IN_A_FOLDER = ("PLACE//x", "PLACE///new//x", "PLACE/./x", "PLACE/./new/./x", "PLACE/new/../x", "PLACE/.x")
LINKED = ("PLACE/link/broker.sock", "PLACE/link//broker.sock", "PLACE/link///broker.sock")


def shown(pattern: str) -> str:
    """A case's name: a path of 4,095 bytes would fill the report."""
    return pattern if len(pattern) < 40 else f"{pattern[:8]}...{pattern[-3:]} ({len(pattern)} bytes)"


def spelt(pattern: str, place: Path) -> str:
    """The path that a case of the tables means."""
    return pattern.replace("PLACE", str(place))


def with_a_brokerd(shim: Shim, place: Path) -> Shim:
    """A copy of the shim beside a brokerd that would not serve: it cannot be executed."""
    folder = place / "installed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(shim.program, folder / "keyring-shim")
    (folder / "brokerd").write_text("#!/nowhere/at/all\n")
    (folder / "brokerd").chmod(0o755)
    return Shim(folder / "keyring-shim", shim.environment, shim.directory)


def what_both_say(session: Session, environment: dict[str, str], place: Path, path: str) -> list[Ended]:
    """How each shim ends with this TOKEN_BROKER_SOCKET, in a place that is new to it."""
    if compiler() is None:
        pytest.skip("no C compiler here: the native shim cannot be built")
    seen = []
    for kind in ("sanitized", "python"):
        shim = with_a_brokerd(Shim(installed(session, kind), environment, place / "empty"), place)
        shutil.rmtree(place / "new", ignore_errors=True)
        seen.append(shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=path))
    return seen


def brokerd(place: Path, environment: dict[str, str], *options: str, **variables: str) -> Ended:
    """How the daemon ends with these options and variables."""
    running = subprocess.Popen(
        [BROKERD, "--idle-exit", "1s", *options],
        env={**environment, **variables},
        cwd=place / "empty",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        return ended(running, *running.communicate(timeout=RUN_LIMIT_S))
    finally:
        running.kill()


@pytest.mark.parametrize("pattern", REFUSED, ids=shown)
def test_path_that_no_socket_can_have_is_refused_in_one_line(shim: Shim, place: Path, pattern: str) -> None:
    shim = with_a_brokerd(shim, place)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=spelt(pattern, place))

    assert (ended.code, ended.stdout, ended.line) == (1, b"", REFUSED[pattern])


@pytest.mark.parametrize("pattern", IN_ROOT)
def test_socket_straight_in_the_root_folder_is_refused(shim: Shim, place: Path, pattern: str) -> None:
    shim = with_a_brokerd(shim, place)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=pattern)

    folder = pattern.rpartition("/")[0].rstrip("/") or "/"
    complaint = "is open to others (mode " if os.geteuid() == 0 else "belongs to uid 0, not to you; "
    assert (ended.code, ended.stdout) == (1, b"")
    assert ended.line.startswith(f"{folder} {complaint}")


@pytest.mark.parametrize("pattern", LINKED)
def test_link_for_a_directory_is_refused_however_many_slashes_follow(
    shim: Shim, broker: ScriptedBroker, place: Path, pattern: str
) -> None:
    broker.will(credential("Fred", "s3cret"))
    (place / "link").symlink_to(broker.path.parent)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=spelt(pattern, place))

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line == f"{place}/link is not a directory; run: ls -ld {place}/link"


@pytest.mark.parametrize("between", ["//", "///", "/./", "/../token-broker/"])
def test_detour_to_a_good_socket_is_taken(shim: Shim, broker: ScriptedBroker, between: str) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{broker.path.parent}{between}broker.sock")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


@pytest.mark.parametrize("pattern", [*REFUSED, *IN_ROOT, *IN_A_FOLDER, *LINKED], ids=shown)
def test_any_path_means_the_same_to_both(
    session: Session, environment: dict[str, str], place: Path, pattern: str
) -> None:
    (place / "link").symlink_to(place / "run")

    native, python = what_both_say(session, environment, place, spelt(pattern, place))

    assert native == python
    assert (native.code, native.line != "") == (1, True)


@pytest.mark.parametrize("pattern", few([*FOR_THE_DAEMON, *IN_ROOT[:4]], 3), ids=shown)
def test_daemon_refuses_the_named_socket_as_the_shims_do(
    environment: dict[str, str], place: Path, pattern: str
) -> None:
    ended = brokerd(place, environment, TOKEN_BROKER_SOCKET=spelt(pattern, place))

    assert (ended.code, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("brokerd: ")
    if pattern in REFUSED:
        assert ended.stderr == f"brokerd: {REFUSED[pattern]}\n"


@pytest.mark.parametrize(
    "pattern",
    few(
        [
            *(
                "/",
                "//",
                "/..",
                ".",
                "..",
                "PLACE",
                "PLACE/",
                "PLACE/.",
                "PLACE/..",
                "PLACE/run/",
                "PLACE/run/.",
            ),
            *("/" + "x" * 4094, "/" * 4095, "x" * 4095, *IN_ROOT[:4]),
        ],
        6,
    ),
    ids=shown,
)
def test_daemon_refuses_a_socket_of_its_option_in_one_line(
    environment: dict[str, str], place: Path, pattern: str
) -> None:
    ended = brokerd(place, environment, "--socket", spelt(pattern, place))

    assert (ended.code, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("brokerd: ")
    assert "run: rm " not in ended.stderr, "none of these is a file"


def test_daemon_in_a_directory_that_is_gone_says_that_its_socket_is_relative(
    environment: dict[str, str], place: Path
) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$0" --socket x'
    done = subprocess.run(
        ["/bin/sh", "-c", script, BROKERD],
        env={**environment, "PATH": os.environ["PATH"]},
        cwd=place / "empty",
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_LIMIT_S,
    )

    assert (done.returncode, done.stderr) == (
        1,
        "brokerd: --socket x is relative, and the working directory is gone; run: cd\n",
    )
