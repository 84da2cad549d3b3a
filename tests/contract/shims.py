"""The shims under contract: how each is installed, and how a test runs it.

An installation is a `bin` folder with `keyring-shim` in it, as an installer leaves it. Its system
broker's socket is another than the real one, and that directory belongs to the tests' user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import build_shim

CLIENT = Path(__file__).parents[2] / "client"
FLAGS = ("-std=c11", "-O0", "-Wall", "-Wextra", "-Werror")  # to optimize takes longer than all the runs
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SANITIZER_EXIT = 99
RUN_LIMIT_S = 60.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def line(self) -> str:
        """The one line on stderr, without `token-broker: `; empty when there is none."""
        if not self.stderr:
            return ""
        assert self.stderr.startswith("token-broker: ")
        assert self.stderr.endswith("\n")
        assert self.stderr.count("\n") == 1
        return self.stderr[len("token-broker: ") : -1]


@dataclass(frozen=True)
class Shim:
    """An installed shim and the environment it runs in. `program` may be a link to it."""

    program: Path
    environment: Mapping[str, str]
    directory: Path
    prefix: tuple[str, ...] = field(default=())

    def __call__(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        argv0: str | None = None,
        program: Path | str | None = None,
        directory: Path | None = None,
        user: int | None = None,
        inherits: tuple[int, ...] = (),
        **changes: str | None,
    ) -> Ended:
        """Run it. `changes` are variables, None for one that is not set."""
        running = self.start(
            *arguments,
            argv0=argv0,
            program=program,
            directory=directory,
            user=user,
            inherits=inherits,
            **changes,
        )
        try:
            stdout, stderr = running.communicate(stdin, timeout=RUN_LIMIT_S)
        finally:
            running.kill()  # one that loops for ever would outlive its test
        return ended(running, stdout, stderr)

    def start(
        self,
        *arguments: str | bytes,
        argv0: str | None = None,
        program: Path | str | None = None,
        directory: Path | None = None,
        user: int | None = None,
        inherits: tuple[int, ...] = (),
        **changes: str | None,
    ) -> subprocess.Popen[bytes]:
        """Start it and return the running process, with pipes at its three ends."""
        environment = {**self.environment, **changes}
        command: Sequence[str | bytes] = (*self.prefix, os.fspath(program or self.program), *arguments)
        executable = command[0]
        return subprocess.Popen(
            [argv0, *command[1:]] if argv0 is not None else command,
            executable=executable,
            env={name: value for name, value in environment.items() if value is not None},
            cwd=directory or self.directory,
            user=user,
            pass_fds=inherits,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def ended(running: subprocess.Popen[bytes], stdout: bytes, stderr: bytes) -> Ended:
    """Return how the shim ended, after what no shim may do was looked for."""
    text = stderr.decode()
    assert running.returncode != SANITIZER_EXIT, text
    assert "Sanitizer" not in text, text
    assert "Traceback" not in text, text
    assert "unrecognized arguments" not in text, "clients take that for an outdated keyring"
    if running.returncode != 0:
        assert stdout == b"", "an answer that is none"
    return Ended(running.returncode, stdout, text)


def compiler() -> str | None:
    """Return the C compiler of this machine, None when it has none."""
    return next(
        (found for name in (os.environ.get("CC", "cc"), "gcc", "clang") if (found := shutil.which(name))),
        None,
    )


def emulator() -> str | None:
    """Return what runs a static program for Linux on aarch64 here, None where nothing does."""
    return shutil.which("qemu-aarch64-static") if sys.platform == "linux" else None


def uv() -> str | None:
    """Return uv, which brings the Zig tool chain where a long test needs it; None where it is not here."""
    return shutil.which("uv", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")


def install_native(folder: Path, system_socket: Path, *, sanitized: bool) -> Path:
    """Compile the native shim into `folder`/bin and return its path."""
    tool = compiler()
    assert tool is not None
    return _install([tool, *FLAGS, *(SANITIZERS if sanitized else ())], folder, system_socket, RUN_LIMIT_S)


def install_aarch64(folder: Path, system_socket: Path) -> Path:
    """Compile it as the wheel for Linux on aarch64 has it; return its path."""
    zig = (str(uv()), "run", "--no-project", "--with", "ziglang", "python", "-m", "ziglang", "cc")
    command = [*zig, "-target", "aarch64-linux-musl", "-static", *build_shim.FLAGS, "-Werror"]
    return _install(command, folder, system_socket, build_shim.COMPILE_LIMIT_S)


def _install(command: Sequence[str], folder: Path, system_socket: Path, limit_s: float) -> Path:
    program = folder / "bin" / "keyring-shim"
    program.parent.mkdir(parents=True)
    system = (f'-DSYSTEM_SOCKET="{system_socket}"', f"-DSYSTEM_UID={os.geteuid()}")
    source = str(CLIENT / "keyring_shim.c")
    subprocess.run([*command, *system, "-o", str(program), source], check=True, timeout=limit_s)
    return program


def python_for_everybody() -> Path | None:
    """Return a Python that every user can run: ours, or the system's; None where there is none."""
    for interpreter in (Path(sys.executable).resolve(), Path("/usr/bin/python3")):
        if interpreter.exists() and all(
            each.stat().st_mode & 1 for each in (interpreter, *interpreter.parents)
        ):
            return interpreter
    return None


def install_python(folder: Path, system_socket: Path, interpreter: str | Path = sys.executable) -> Path:
    """Install the Python shim as the pure wheel does, in a virtual environment `folder`; return its path."""
    subprocess.run([interpreter, "-m", "venv", "--without-pip", "--symlinks", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    source = (CLIENT / "token_broker_client.py").read_text()
    changes = {
        'SYSTEM_SOCKET = "/run/token-broker/broker.sock"': f'SYSTEM_SOCKET = "{system_socket}"',
        "SYSTEM_UID = 0 ": f"SYSTEM_UID = {os.geteuid()} ",
    }
    for old, new in changes.items():
        assert source.count(old) == 1
        source = source.replace(old, new)
    (packages / "token_broker_client.py").write_text(source)
    first, rest = (CLIENT / "keyring_shim.py").read_text().split("\n", 1)
    assert first == "#!python"
    program = folder / "bin" / "keyring-shim"
    program.write_text(f"#!{folder}/bin/python\n{rest}")
    program.chmod(0o755)
    assert sys.platform != "win32"
    return program
