"""Puts the `keyring-shim` command into the wheel: compiled where a C compiler works, else in Python.

A hatchling build hook (client/pyproject.toml). With the compiled shim the wheel is a platform wheel,
`py3-none-<platform>`; with the Python one it is `py3-none-any`. Both are script files, none is an
entry point: the two have one name, and an entry point's launcher would overwrite the native shim.

CC names the compiler; TOKEN_BROKER_PURE=1 asks for the Python shim.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

SCRIPT = "keyring-shim"
COMPILERS = ("musl-gcc", "cc")  # musl's static programs start in half the time of glibc's
# No -Werror, as in the tests: a newer compiler's new warning must not cost anybody the native shim.
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-s")
COMPILE_LIMIT_S = 120.0


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
            build_data["tag"] = f"py3-none-{platform()}"
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
    chosen = os.environ.get("CC")
    for compiler in [shlex.split(chosen)] if chosen else [[name] for name in COMPILERS]:
        if not compiler or shutil.which(compiler[0]) is None:
            continue
        for static in (["-static"], []):
            command = [*compiler, *FLAGS, *static, "-o", str(program), str(source)]
            done = subprocess.run(command, check=False, timeout=COMPILE_LIMIT_S, capture_output=True)
            if done.returncode == 0:
                return None
    return f"no C compiler works here (tried {chosen or ', '.join(COMPILERS)})"


def platform() -> str:
    """Return the platform tag of a program compiled here: `linux_...`, or the newest macOS there is."""
    tags = list(platform_tags())
    return next((tag for tag in tags if tag.startswith("linux_")), tags[0])
