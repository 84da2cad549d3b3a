"""The release command: what it would refuse, and, as a long proof, all that it makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_wheels import TARGETS, check_wheel, checked_native, wrong_records
from executables import Elf, MachO, read_program

from tests.client.test_wheel import SCRIPT, build, installed
from tests.contract.shims import CLIENT, compiler, emulator, uv
from tests.sampling import few

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler here")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
LINUX = TARGETS[0]


def rewritten(wheel: Path, folder: Path, content: bytes, mode: int = 0o755) -> Path:
    """Replace the shim in a copy of the wheel."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            if entry.filename == SCRIPT:
                entry.external_attr = (0o100000 | mode) << 16
            new.writestr(entry, content if entry.filename == SCRIPT else old.read(entry))
    return copy


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    """A wheel with the native shim of this machine, said to be for any Linux."""
    name, value = "TOKEN_BROKER_PLATFORM", LINUX.tag
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        yield build(Path(folder), "wheel", **{name: value})[0]


@needs_compiler
@pytest.mark.xdist_group("wheel for any Linux")
def test_wheel_of_the_build_hook_is_in_order(wheel: Path) -> None:
    assert b"keyring-shim, built with " in check_wheel(wheel, LINUX.tag)


@needs_compiler
@pytest.mark.xdist_group("wheel for any Linux")
@pytest.mark.parametrize("fault", few(["content", "mode", "tag", "name"], 1))
def test_wheel_that_is_not_in_order_ends_the_command(wheel: Path, place: Path, fault: str) -> None:
    program = zipfile.ZipFile(wheel).read(SCRIPT)
    match fault:
        case "content":
            wheel = rewritten(wheel, place, program + b"\0")
        case "mode":
            wheel = rewritten(wheel, place, program, mode=0o644)
        case "tag":
            copy = place / wheel.name.replace("manylinux_2_17", "manylinux_2_5")
            wheel = Path(shutil.copy(wheel, copy))
        case "name":
            pass

    with pytest.raises(SystemExit, match=r"token_broker_client-0\.1\.0-"):
        check_wheel(wheel, "linux_x86_64" if fault == "name" else LINUX.tag)


def test_file_that_record_does_not_name_is_told() -> None:
    record = "a.py,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\ngone.py,,\nx.dist-info/RECORD,,\n"
    contents = {"a.py": b"abc", "b.py": b"", "x.dist-info/RECORD": record.encode()}

    assert wrong_records(record, contents) == [
        "RECORD is wrong about b.py",
        "RECORD names gone.py, which is not there",
    ]


@needs_compiler
@linux_only
@pytest.mark.xdist_group("wheel for any Linux")
def test_dynamic_program_is_not_what_was_promised(place: Path, wheel: Path) -> None:
    tool = compiler()
    assert tool is not None
    (place / "empty.c").write_text("int main(void) { return 0; }\n")
    program = place / "empty"
    subprocess.run([tool, "-o", program, place / "empty.c"], check=True)
    found = read_program(program.read_bytes())

    assert isinstance(found, Elf)
    assert not found.static
    with pytest.raises(SystemExit):
        checked_native(rewritten(wheel, place, program.read_bytes()), LINUX)


@pytest.mark.parametrize(
    "program", [b"", b"#!python\n", b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe" + b"\0" * 8, b"\x7fELF\x01\x01"]
)
def test_what_is_no_program_is_an_error(program: bytes) -> None:
    with pytest.raises(ValueError, match=r"program|neither ELF nor Mach-O"):
        read_program(program)


@pytest.mark.long
def test_all_wheels_are_built_alike_twice_checked_and_run(place: Path) -> None:
    tool = uv()
    assert tool is not None
    done = subprocess.run(
        [tool, "run", "--script", str(CLIENT / "build_wheels.py"), "--out", str(place / "out")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "built twice, the same 6 files bit for bit" in done.stdout
    files = {file.name: file for file in (place / "out").iterdir()}
    wheels = {
        tag: files[f"token_broker_client-0.1.0-py3-none-{tag}.whl"]
        for tag in (*(target.tag for target in TARGETS), "any")
    }
    assert set(files) == {file.name for file in wheels.values()} | {"token_broker_client-0.1.0.tar.gz"}
    with zipfile.ZipFile(wheels[TARGETS[-1].tag]) as archive:
        program = bytearray(archive.read(SCRIPT))
    found = read_program(bytes(program))
    assert isinstance(found, MachO)
    assert found.signed
    program[len(program) // 2] ^= 1
    changed = read_program(bytes(program))
    assert isinstance(changed, MachO)
    assert not changed.signed, "a page that does not match its signature is seen"
    if sys.platform == "linux" and os.uname().machine == LINUX.program.machine:
        assert f"{LINUX.name}: " in done.stdout
        assert "answered a look-up" in done.stdout
        if emulator() is not None:
            assert "answered a look-up under qemu-aarch64-static" in done.stdout
        assert installed(wheels[LINUX.tag], place / "environment").exists()


@pytest.mark.long
def test_ziglang_compiles_the_shim_where_there_is_no_compiler(place: Path) -> None:
    tool = uv()
    assert tool is not None
    source = place / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
    script = (
        "import os, subprocess, sys; os.environ['PATH'] = '/nowhere'; os.environ.pop('CC', None);"
        "subprocess.run([sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel'], check=True)"
    )
    environment = ("--no-project", "--with", "hatchling", "--with", "ziglang")

    subprocess.run([tool, "run", *environment, "python", "-c", script], cwd=source, check=True)

    (wheel,) = (source / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        program = read_program(archive.read(SCRIPT))
    assert isinstance(program, (Elf, MachO))
    assert isinstance(program, MachO) or program.static
