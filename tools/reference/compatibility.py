"""docs/reference/compatibility.md: the lowest versions, read from pyproject.toml where it says them."""

import re
import tomllib
from pathlib import Path

from tools.reference import markdown

ROOT = Path(__file__).parents[2]


def _locked(name: str) -> str:
    """The version that the tests' environment has."""
    found = re.search(rf"^{name}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    return found[1] if found else ""


TRIED = (
    ("Python", "3.11", "with 3.11", "for the daemon, brokerctl and the Python shim"),
    (
        "uv",
        "0.9",
        f"with 0.9 and {_locked('uv')}",
        "a named index needs `authenticate` and a user name for files outside its root",
    ),
    (
        "pip",
        "23.1",
        f"with 23.1, the one that Python bundles, and {_locked('pip')}",
        "before 26.2 an index without a user name is not asked about",
    ),
    ("systemd", "252", "with 252", "without systemd the first look-up starts the daemon"),
    ("macOS", "", "untried", "follows Apple's documentation; held to a fake `launchctl`"),
    ("Windows", "", "through WSL only", "no named pipe, no service"),
)
"""Program, lowest version that this project means to work with, what its tests ran, and what to know."""

STABLE = (
    ("verbs, options and exit codes of `brokerctl`", "stay; new ones may come"),
    ("keys of `status --json` and of the socket API", "stay; new ones may come"),
    ("configuration keys", "stay; a key that is replaced goes on working for one minor version"),
    ("paths on [the page of files](files.md)", "stay, so that an earlier set-up can be undone"),
    ("names of metrics and of loggers", "stay"),
    ("words on the screen and in messages", "may change; scripts read `--json` and exit codes"),
    (
        "everything else that can be imported from `broker`",
        "may change, except the plug-in protocol of providers",
    ),
)


def markdown_page() -> str:
    """The page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = project["requires-python"].removeprefix(">=")
    return markdown.page(
        "Compatibility",
        f"## What does it need?\n\nPython {python} or newer for the daemon, brokerctl and the Python shim; the native shim "
        "needs Linux and no Python.\n\n"
        "Shim, daemon and brokerctl of neighbouring minor versions understand each other, such as a container's older shim "
        "and the daemon of its host: each takes what a release before it said, and ignores the keys, parameters and header "
        "fields that it does not know. `tests/contract/words_of_0_1.py` holds both sides to the words of 0.1.",
        markdown.table(("program", "lowest", "the tests ran", "to know"), TRIED),
        "## What stays as it is?\n\nFrom version 1.0 on; 0.x may still change, and the changelog says what did.",
        markdown.table(("what", "promise"), STABLE),
        "## Which libraries does it bring?\n\nBoth ends of every range are tried by `tests/test_dependency_bounds.py`.",
        markdown.table(("library and range",), ((f"`{each}`",) for each in project["dependencies"])),
        markdown.table(
            ("extra", "adds"),
            (
                (f"`{name}`", ", ".join(f"`{each}`" for each in those))
                for name, those in project["optional-dependencies"].items()
            ),
        ),
    )
