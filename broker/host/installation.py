"""What was installed together with the program that runs, and whether it still is what is on the disk."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

_DISTRIBUTION, _DIST_INFO = "token_broker-", ".dist-info"
"""Around the version in the name of the folder that installers write ("Recording installed projects")."""

SHIM = "keyring-shim"
"""What uv and pip run as `keyring`."""


def beside_us(program: str) -> Path | None:
    """The program that was installed together with the one that runs, None where there is none."""
    from pathlib import Path  # noqa: PLC0415 - not for the version

    for neighbour in (Path(sys.argv[0]).resolve(), Path(sys.executable)):
        found = neighbour.parent / program
        if os.access(found, os.X_OK):
            return found
    return None


def line_that_installs(words: str) -> str:
    """The line by which pip's `words` (options, packages) get into the environment of this program.

    uv types it where the environment has no pip, as `uv tool install` makes them. A package of ours is to be
    named as a file: on a public index that name would be somebody else's.
    """
    python, has_pip = _python_and_pip()
    return f"{python} -m pip install {words}" if has_pip else f"uv pip install --python {python} {words}"


def cause_outside(defect: BaseException, command: str) -> str | None:
    """What to type where the defect may be that of other packages than ours were installed with; else None.

    PYTHONPATH puts another project's before them: then `command` without it. Else one is missing or of
    another version, which pip finds.
    """
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else trace.tb_frame.f_code.co_filename
    if isinstance(defect, ImportError | AttributeError) or place.startswith(tuple(folders)):
        if folders:
            return f"env -u PYTHONPATH {command}"
        python, has_pip = _python_and_pip()
        if isinstance(defect, ImportError):
            return f"{python} -P -m pip check" if has_pip else f"uv pip check --python {python}"
    return None


def _python_and_pip() -> tuple[str, bool]:
    """Our interpreter as a shell takes it, and whether it has pip."""
    from importlib.util import find_spec  # noqa: PLC0415 - for who tells a line
    from shlex import quote  # noqa: PLC0415 - the same

    return quote(sys.executable), find_spec("pip") is not None


def installed_version() -> str | None:
    """The version of this installation, or None in a source tree that was never installed.

    As `importlib.metadata.version` finds it, whose import takes longer than a bare start of Python.
    """
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - `pathlib` costs half a bare start
        except OSError:
            continue
        for name in names:
            if name.startswith(_DISTRIBUTION) and name.endswith(_DIST_INFO):
                return name.removeprefix(_DISTRIBUTION).removesuffix(_DIST_INFO)
    return None


def installation_fingerprint() -> Hashable:
    """A value that changes when token-broker was upgraded, reinstalled or removed.

    Installers write a new dist-info.
    """
    import sysconfig  # noqa: PLC0415 - the same
    from pathlib import Path  # noqa: PLC0415 - the same

    marks = []
    for found in sorted(Path(sysconfig.get_path("purelib")).glob("token_broker*.dist-info")):
        try:
            about = (found / "RECORD").stat()
        except OSError:
            continue  # half removed: the next look sees the rest
        marks.append((found.name, about.st_ino, about.st_mtime_ns))
    return tuple(marks)
