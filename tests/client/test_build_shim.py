"""Which compiler the build hook takes, and what the wheel is then called."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import build_shim
import pytest

from tests.contract.shims import CLIENT


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, with neither CC nor ziglang there."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("CC", "TOKEN_BROKER_PURE", "TOKEN_BROKER_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return folder


def tool(folder: Path, name: str, script: str = "exit 1") -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def make_ziglang_importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ziglang").mkdir()
    (folder / "ziglang" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(folder))


def test_musl_comes_before_the_systems_compiler(tools: Path) -> None:
    tool(tools, "cc")
    tool(tools, "musl-gcc")

    assert build_shim.compilers() == [["musl-gcc"], ["cc"]]


def test_ziglang_is_the_last_resort(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "cc")
    make_ziglang_importable(tmp_path, monkeypatch)

    first, second = build_shim.compilers()

    assert first == ["cc"]
    assert second[:4] == [sys.executable, "-m", "ziglang", "cc"]


def test_named_compiler_is_the_only_one(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "cc")
    named = tool(tools, "other")
    make_ziglang_importable(tmp_path, monkeypatch)
    monkeypatch.setenv("CC", f"{named} -flag 'with a blank'")

    assert build_shim.compilers() == [[str(named), "-flag", "with a blank"]]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_ziglang_compiles_for_musl_on_linux(machine: str) -> None:
    assert build_shim.zig_target("linux", machine) == ("-target", f"{machine}-linux-musl")
    assert build_shim.zig_target("darwin", machine) == ()


def test_compiler_that_fails_makes_way_for_the_next(tools: Path, tmp_path: Path) -> None:
    tool(tools, "musl-gcc")
    tool(tools, "cc", f'echo "$*" >{tmp_path}/called')

    assert build_shim.compile_shim(Path("source.c"), Path("program")) is None
    assert (tmp_path / "called").read_text().endswith(" -o program source.c\n")


def test_program_is_static_where_the_linker_can(tools: Path, tmp_path: Path) -> None:
    script = f'echo "$*" >>{tmp_path}/called; for each; do [ "$each" = -static ] && exit 1; done; exit 0'
    tool(tools, "cc", script)

    assert build_shim.compile_shim(Path("source.c"), Path("program")) is None
    calls = (tmp_path / "called").read_text().splitlines()
    assert [("-static" in call, "noseparate-code" in call) for call in calls] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_no_compiler_is_told_in_one_line_with_all_that_was_tried(tools: Path) -> None:
    tool(tools, "cc")

    reason = build_shim.compile_shim(Path("source.c"), Path("program"))

    assert reason == "no C compiler works here (tried musl-gcc, cc, ziglang)"


@pytest.mark.parametrize("named", [None, "clang"])
def test_first_compiler_of_the_order_makes_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    found = [name for name in (named, *build_shim.COMPILERS) if name and shutil.which(name)]
    if not found or (named and found[0] != named):
        pytest.skip(f"{named or 'a C compiler'} is not here")
    monkeypatch.setenv("CC", named or "")
    program = tmp_path / "shim"

    assert build_shim.compile_shim(CLIENT / "keyring_shim.c", program) is None
    words = {"musl-gcc": b"musl", "cc": b"glibc", "clang": b"lang"}  # `Apple Clang`, `Debian Clang`, `clang`
    built = re.search(rb"keyring-shim, built with [ -~]+", program.read_bytes())
    assert built is not None
    assert words[found[0]] in built[0]


def test_windows_gets_the_shim_in_python(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "cc", "exit 0")
    monkeypatch.setattr(sys, "platform", "win32")

    reason = build_shim.compile_shim(Path("source.c"), Path("program"))

    assert reason == "the native one is for Linux and macOS"


def test_wheel_is_for_the_platform_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_BROKER_PLATFORM", "macosx_11_0_arm64")

    assert build_shim.wheel_platform() == "macosx_11_0_arm64"
