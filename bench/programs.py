"""C programs, built here: the shim, the empty program it is compared with, the callers and the floor."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import build_shim

COMPILERS = ("cc", "musl-gcc")
TREE = Path(__file__).resolve().parents[1]
SHIM = TREE / "client" / "keyring_shim.c"
EMPTY = "int main(void) { return 0; }\n"


def compilers() -> Iterator[str]:
    """Those that are here."""
    return (name for name in COMPILERS if shutil.which(name))


def built(compiler: str, source: Path, program: Path) -> Path:
    """Build statically, as the client's build hook does where the linker can."""
    command = [compiler, *build_shim.FLAGS, *build_shim.LINKS[0], "-o", str(program), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return program


def empty(compiler: str, folder: Path) -> Path:
    """A program that does nothing."""
    source = folder / "empty.c"
    source.write_text(EMPTY)
    return built(compiler, source, folder / f"empty-{compiler}")


def floor(folder: Path) -> Path:
    """The smallest program that makes one exchange: without libc."""
    program = folder / "floor-program"
    flags = ("-std=gnu11", "-O2", "-s", "-static", "-nostdlib", "-fno-stack-protector", "-fno-builtin")
    source = Path(__file__).with_name("floor.c")
    subprocess.run(["cc", *flags, "-o", program, source], check=True, capture_output=True)
    return program


def shim(compiler: str, folder: Path, tree: Path = TREE) -> Path:
    """The native shim, as its build hook makes it of this source tree's."""
    return built(compiler, tree / SHIM.relative_to(TREE), folder / f"shim-{compiler}")
