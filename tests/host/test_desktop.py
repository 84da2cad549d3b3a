import sys
from pathlib import Path

import pytest

from broker.host.desktop import notice, show

BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}

PROGRAM = f"""#!{sys.executable} -I
import sys
with open({{heard!r}}, "a") as heard:
    heard.write("\\n".join(sys.argv[1:]) + "\\n")
sys.exit({{code}})
"""


def program(folder: Path, name: str, code: int = 0) -> Path:
    heard = folder / "heard"
    made = folder / name
    made.write_text(PROGRAM.format(heard=str(heard), code=code))
    made.chmod(0o755)
    return heard


async def test_a_notice_is_shown_as_text_and_never_as_an_option(tmp_path: Path) -> None:
    heard = program(tmp_path, "notify-send")

    assert await show("--hint=x", "a <b> & c\nrun", {"PATH": str(tmp_path), **BUS})
    assert heard.read_text() == "--app-name=token-broker\n--\n--hint=x\na &lt;b&gt; &amp; c\nrun\n"


def test_macos_gets_its_notice_as_arguments_not_as_a_script(tmp_path: Path) -> None:
    program(tmp_path, "osascript")
    argv = notice('a"', 'b"', {"PATH": str(tmp_path)}, platform="darwin")

    assert argv is not None
    assert argv[-2:] == ('a"', 'b"')
    assert 'a"' not in "".join(argv[:-2])


@pytest.mark.parametrize(
    ("environ", "platform"),
    [
        ({"TOKEN_BROKER_NOTIFY": "0", **BUS}, "linux"),
        ({"TOKEN_BROKER_NOTIFY": "0"}, "darwin"),
        ({}, "linux"),
        ({"DBUS_SESSION_BUS_ADDRESS": ""}, "linux"),
    ],
)
def test_no_notice_where_there_is_no_desktop_or_nobody_wants_it(
    environ: dict[str, str], platform: str, tmp_path: Path
) -> None:
    program(tmp_path, "notify-send")
    program(tmp_path, "osascript")

    assert notice("a", "b", {"PATH": str(tmp_path), **environ}, platform) is None


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_no_notice_without_the_program(platform: str, tmp_path: Path) -> None:
    assert notice("a", "b", {"PATH": str(tmp_path), **BUS}, platform) is None


async def test_a_desktop_that_refuses_is_no_error(tmp_path: Path) -> None:
    program(tmp_path, "notify-send", code=1)

    assert not await show("a", "b", {"PATH": str(tmp_path), **BUS})
