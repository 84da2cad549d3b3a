"""Puts the `keyring-shim` command into the wheel: compiled where a C compiler works, else in Python.

A hatchling build hook (client/pyproject.toml). With the compiled shim the wheel is a platform wheel,
`py3-none-<platform>`; with the Python one it is `py3-none-any`. Both are script files, none is an
entry point: the two have one name, and an entry point's launcher would overwrite the native shim.

CC names the compiler, arguments included; TOKEN_BROKER_PLATFORM the wheel's platform tag, for a
compiler that compiles for another one (build_wheels.py); TOKEN_BROKER_PURE=1 asks for the Python shim.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

SCRIPT = "keyring-shim"
COMPILERS = ("musl-gcc", "cc")  # musl's static programs start in a fraction of the time of glibc's
ZIGLANG = "ziglang"  # the distribution of the Zig tool chain, which has a C compiler and musl in it
# No -Werror, as in the tests: a newer compiler's new warning must not cost anybody the native shim.
# No unwind tables: nothing unwinds, and they are a sixth of the program.
FLAGS = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-s"),
    *("-fstack-protector-strong", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
)
# Static if the linker can; segments that share pages, where it has that option: a page fault less each.
LINKS = (("-static", "-Wl,-z,noseparate-code"), ("-static",), ())
COMPILE_LIMIT_S = 300.0  # ziglang compiles musl first, once


class ShimHook(BuildHookInterface[Any]):
    """Compiles the shim for the wheel being built, editable or not."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """Add the script and the wheel's tag to `build_data`."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        self._directory = tempfile.TemporaryDirectory()
        program = Path(self._directory.name, SCRIPT)
        reason = compile_shim(root / "keyring_shim.c", program)
        if reason is None:
            build_data["shared_scripts"][str(program)] = SCRIPT
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{wheel_platform()}"
        else:
            build_data["shared_scripts"][str(root / "keyring_shim.py")] = SCRIPT
            self.app.display_warning(f"token-broker-client: {reason}: the shim of this wheel is in Python")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what was compiled: the wheel has it now."""
        if self.target_name == "wheel":
            self._directory.cleanup()


def compile_shim(source: Path, program: Path) -> str | None:
    """Compile `source` into `program`, static if the linker can, and return None; or why that cannot be."""
    if os.environ.get("TOKEN_BROKER_PURE", "0") not in ("", "0"):
        return "TOKEN_BROKER_PURE is set"
    if sys.platform == "win32":
        return "the native one is for Linux and macOS"
    for compiler in compilers():
        for link in LINKS:
            command = [*compiler, *FLAGS, *link, "-o", str(program), str(source)]
            done = subprocess.run(command, check=False, timeout=COMPILE_LIMIT_S, capture_output=True)
            if done.returncode == 0:
                return None
    tried = os.environ.get("CC") or ", ".join((*COMPILERS, ZIGLANG))
    return f"no C compiler works here (tried {tried})"


def compilers() -> list[list[str]]:
    """Return the commands that may compile here, the best first: $CC alone where it is set."""
    chosen = shlex.split(os.environ.get("CC", ""))
    wanted = [chosen] if chosen else [[name] for name in COMPILERS]
    found = [command for command in wanted if shutil.which(command[0]) is not None]
    if not chosen and find_spec(ZIGLANG) is not None:
        found.append([sys.executable, "-m", ZIGLANG, "cc", *zig_target(sys.platform, platform.machine())])
    return found


def zig_target(system: str, machine: str) -> tuple[str, ...]:
    """Return how to tell Zig this machine: on Linux with musl, for it has no static glibc."""
    return ("-target", f"{machine}-linux-musl") if system == "linux" else ()


def wheel_platform() -> str:
    """Return the platform tag of what was compiled: `linux_...`, or the newest macOS there is."""
    chosen = os.environ.get("TOKEN_BROKER_PLATFORM")
    if chosen:
        return chosen
    tags = list(platform_tags())
    return next((tag for tag in tags if tag.startswith("linux_")), tags[0])
