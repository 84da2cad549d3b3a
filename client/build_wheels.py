#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["hatchling==1.33.0", "packaging==26.3", "ziglang==0.17.1"]
# ///
"""Builds and checks every file of a token-broker-client release on this one machine.

    uv run --script client/build_wheels.py [--out FOLDER]

Four platform wheels with the native shim (Linux x86-64 and aarch64, static, for glibc and musl alike; macOS
x86-64 and arm64), the pure wheel with the Python one, and the source distribution that all five are built
from. uv makes the environment that the lines above name: ziglang has a C compiler with the headers and
libraries of all four (400 MB unpacked, of this command alone). The first run takes a minute or two, for it
compiles musl too.

Everything is built twice, in two places, and must come out the same bit for bit; so it does anywhere with the
same SOURCE_DATE_EPOCH (seconds; by default the time of the commit checked out) and the versions above.
Each wheel's names, tags, hashes and modes, and each program's machine, oldest system, libraries and signature
are checked. What this machine can run, with qemu-aarch64-static too where that is installed, must answer a
look-up. Ends with 1 at the first thing that is not right, and then leaves nothing in FOLDER.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from packaging.utils import parse_wheel_filename

from executables import Elf, MachO, read_program

CLIENT = Path(__file__).resolve().parent
SCRIPT = "keyring-shim"
NATIVE_BYTES = 128 * 1024  # of a program; macOS pages are 16 kB, and each segment has its own
WARNINGS_ARE_ERRORS = "-Werror"
RUN_LIMIT_S = 60.0
BUILD_LIMIT_S = 900.0
LIBRARIES = ("/usr/lib/libSystem.B.dylib",)
PURE = "any"


@dataclass(frozen=True)
class Target:
    """A platform that gets a wheel: `zig` is its compiler's name for it, `tag` that of installers.

    `program` is what is promised of the shim.
    `emulator` can run its programs on Linux x86-64.
    """

    name: str
    zig: str
    tag: str
    program: Elf | MachO
    emulator: str | None = None


def _linux(machine: str, emulator: str | None) -> Target:
    """A static program needs no C library, so both families of tags are true, down to the oldest in use."""
    tag = f"manylinux_2_17_{machine}.manylinux2014_{machine}.musllinux_1_1_{machine}"
    program = Elf(machine, static=True, executable_stack=False)
    return Target(f"Linux {machine}", f"{machine}-linux-musl", tag, program, emulator)


def _macos(machine: str, zig: str, oldest: tuple[int, int], *, signed: bool) -> Target:
    """The oldest macOS is that of the python.org installers (3.12), or the first on Apple silicon."""
    major, minor = oldest
    program = MachO(machine, oldest, LIBRARIES, signed=signed)
    return Target(
        f"macOS {machine}", f"{zig}-macos.{major}.{minor}", f"macosx_{major}_{minor}_{machine}", program
    )


TARGETS = (
    _linux("x86_64", None),
    _linux("aarch64", "qemu-aarch64-static"),
    _macos("x86_64", "x86_64", (10, 13), signed=False),  # Intel Macs ask for no signature
    _macos("arm64", "aarch64", (11, 0), signed=True),
)


def main() -> None:
    """Build twice, compare, check, run, and put the files into place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("dist"), help="where the files go (default: dist)")
    out: Path = parser.parse_args().out
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or commit_time()
    with tempfile.TemporaryDirectory(prefix="wheels-") as name:
        first, second = (build(Path(name, place), epoch) for place in ("once", "again"))
        for one, other in zip(first, second, strict=True):
            if (one.name, one.read_bytes()) != (other.name, other.read_bytes()):
                sys.exit(f"{one.name} came out differently the second time")
        print(f"built twice, the same {len(first)} files bit for bit (SOURCE_DATE_EPOCH={epoch})")
        for file in first:
            content = file.read_bytes()
            print(f"{hashlib.sha256(content).hexdigest()}  {file.name}, {len(content)} bytes")
        _, *natives, pure = first
        for target, wheel in zip(TARGETS, natives, strict=True):
            print(f"{target.name}: {checked_native(wheel, target)}")
        check_wheel(pure, PURE)
        print("any other platform: the shim in Python")
        out.mkdir(parents=True, exist_ok=True)
        for file in first:
            shutil.copy(file, out / file.name)


def commit_time() -> str:
    """Return the time of the commit that is checked out, in seconds since 1970."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=CLIENT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit("this is no git checkout: set SOURCE_DATE_EPOCH")
    return done.stdout.strip()


def build(place: Path, epoch: str) -> list[Path]:
    """Return the files: the source distribution, a wheel for each of TARGETS, the pure one."""
    source = place / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
    sdist = hatchling(source, "sdist", place / "sdist", epoch, {})
    with tarfile.open(sdist) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (unpacked,) = (place / "unpacked").iterdir()
    wheels = []
    for target in TARGETS:
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", target.zig, WARNINGS_ARE_ERRORS]
        variables = {
            "CC": shlex.join(compiler),
            "TOKEN_BROKER_PLATFORM": target.tag,
            "ZIG_LOCAL_CACHE_DIR": f"{place}/zig",
        }
        wheels.append(hatchling(unpacked, "wheel", place / target.tag, epoch, variables))
    pure = hatchling(unpacked, "wheel", place / PURE, epoch, {"TOKEN_BROKER_PURE": "1"})
    return [sdist, *wheels, pure]


def hatchling(source: Path, kind: str, folder: Path, epoch: str, variables: dict[str, str]) -> Path:
    """Build one file into `folder` and return it."""
    ours = ("CC", "TOKEN_BROKER_PURE", "TOKEN_BROKER_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=source,
        env={**environment, **variables, "SOURCE_DATE_EPOCH": epoch},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_LIMIT_S,
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    (built,) = folder.iterdir()
    return built


def checked_native(wheel: Path, target: Target) -> str:
    """Return what is true of this platform's wheel and its program; end when it is not what was promised."""
    program = check_wheel(wheel, target.tag)
    found = read_program(program)
    if found != target.program:
        sys.exit(f"{wheel.name} has {found} and should have {target.program}")
    if len(program) > NATIVE_BYTES:
        sys.exit(f"{wheel.name} has a program of {len(program)} bytes, more than {NATIVE_BYTES}")
    return f"{len(program)} bytes, as promised; {run(program, target)}"


def check_wheel(wheel: Path, tag: str) -> bytes:
    """Return the wheel's `keyring-shim`; end unless names, tags, hashes and modes are in order."""
    _, version, _, tags = parse_wheel_filename(wheel.name)
    stem = f"token_broker_client-{version}"
    with zipfile.ZipFile(wheel) as archive:
        record = archive.read(f"{stem}.dist-info/RECORD").decode()
        fields = Parser().parsestr(archive.read(f"{stem}.dist-info/WHEEL").decode())
        script = archive.getinfo(f"{stem}.data/scripts/{SCRIPT}")
        contents = {name: archive.read(name) for name in archive.namelist()}
    wrong = []
    if wheel.name != f"{stem}-py3-none-{tag}.whl":
        wrong.append(f"its name does not end with {tag}")
    if sorted(fields.get_all("Tag", [])) != sorted(map(str, tags)):
        wrong.append("its WHEEL has other tags than its name")
    if fields["Root-Is-Purelib"] != str(tag == PURE).lower():
        wrong.append(f"Root-Is-Purelib is {fields['Root-Is-Purelib']}")
    if script.external_attr >> 16 & 0o777 != 0o755:
        wrong.append(f"{SCRIPT} has mode {script.external_attr >> 16:o}")
    wrong += wrong_records(record, contents)
    if wrong:
        sys.exit(f"{wheel.name}: {'; '.join(wrong)}")
    return contents[script.filename]


def wrong_records(record: str, contents: dict[str, bytes]) -> list[str]:
    """Return what RECORD says wrongly of the wheel's files; it names each of them, itself without a hash."""
    wrong = []
    lines = dict(line.split(",", 1) for line in record.splitlines())
    for name, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        expected = "," if name.endswith(".dist-info/RECORD") else f"sha256={digest},{len(content)}"
        if lines.pop(name, None) != expected:
            wrong.append(f"RECORD is wrong about {name}")
    return wrong + [f"RECORD names {name}, which is not there" for name in lines]


def run(program: bytes, target: Target) -> str:
    """Say whether the program answered a look-up here; end when it should have and did not."""
    prefix: list[str] = []
    if platform.system() != target.name.partition(" ")[0].replace("macOS", "Darwin"):
        return "not run: this is another system"
    if platform.machine() != target.program.machine:
        emulator = target.emulator and shutil.which(target.emulator)
        if not emulator:
            return f"not run: this is another machine, and {target.emulator or 'an emulator'} is not here"
        prefix = [emulator]
    with tempfile.TemporaryDirectory(prefix="w-") as name:
        path = Path(name, SCRIPT)
        path.write_bytes(program)
        path.chmod(0o755)
        with answering(Path(name, "token-broker", "broker.sock")):
            done = subprocess.run(
                [*prefix, str(path), "--mode=creds", "--output=json", "get", "https://feed.example/", "Fred"],
                env={"HOME": name, "XDG_RUNTIME_DIR": name},
                capture_output=True,
                check=False,
                timeout=RUN_LIMIT_S,
            )
    if (done.returncode, done.stdout) != (0, b'{"username": "Fred", "password": "s3cret"}\n'):
        sys.exit(f"{target.name}: a look-up ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return "answered a look-up" + (f" under {target.emulator}" if prefix else "")


@contextmanager
def answering(path: Path) -> Iterator[None]:
    """Answer one look-up at `path`, as the broker does."""

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nFred\ns3cret\n")

    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(RUN_LIMIT_S)
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen()
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield


if __name__ == "__main__":
    main()
