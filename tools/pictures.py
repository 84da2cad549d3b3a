"""Pictures of `brokerctl status`, `doctor`, `why` and `demo` from real runs: `python -m tools.pictures`.

A daemon, the shim and brokerctl run as they are, in a home of their own, before the fake clouds of
the tests. What brokerctl writes to a terminal becomes `docs/VERB.svg`, in the colours that the
reader's screen wants, light or dark. It takes two minutes: one token must have aged a little, and
the demo's must end.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

from tests.e2e.field import ARTIFACTORY, GITLAB, GITLAB_TOKEN, GOOGLE, settle
from tests.e2e.household import AZURE_FEED, Household, feed, household
from tests.fakes.clients import UV
from tests.fakes.gitlab import Token

ROOT = Path(__file__).resolve().parents[1]
BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
COLUMNS = 110
ROWS = 40
THEMES = (SVG_EXPORT_THEME, DEFAULT_TERMINAL_THEME)
"""For a dark screen, and for a light one."""

ERASE = "\x1b[2K"
UP = re.compile(r"\x1b\[(\d*)A")
HIDDEN = re.compile(r"\x1b\[\?25[lh]|")
CONTROL = re.compile(r"(\n|\r|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])")
"""What rich redraws with."""

LABS = AZURE_FEED.replace("acme", "labs").replace("corp", "labs")
TOOLS = AZURE_FEED.replace("corp", "tools")
NIGHTLY = "https://nightly.example.com/simple/"
LIFE_S, AGE_S = 90, 30
NIGHTLY_TOKEN = (
    f"""printf '{{"password": "sesame", "expires_at": "%s"}}' $(date -ud '{LIFE_S} seconds' +%FT%TZ)"""
)

PROJECT = f"""\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo-package"]

[[tool.uv.index]]
name = "corp"
url = "{AZURE_FEED}"
default = true
"""


def main() -> None:
    """Take the pictures into `docs/`, or into the folder that is named."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs"
    with household() as house:
        furnish_broker(house)
        with house.brokerd():
            for url in (AZURE_FEED, AZURE_FEED, TOOLS, GOOGLE, GITLAB, ARTIFACTORY, NIGHTLY, LABS):
                house.keyring("get", url, "VssSessionToken")
            time.sleep(AGE_S)
            for url in (AZURE_FEED, AZURE_FEED, TOOLS):
                house.keyring("get", url, "VssSessionToken")
            picture(house, "brokerctl status", folder)
            furnish(house)
            picture(house, "brokerctl doctor", folder, house.home / "app")
            picture(house, "brokerctl why -- uv sync", folder, house.home / "app")
    with household() as house:
        picture(house, "brokerctl demo", folder)


def furnish_broker(house: Household) -> None:
    """Feeds of several clouds, one of which nobody is signed in to, and one whose token ends soon."""
    services = settle(house)
    next_year = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 200 * 86400))
    services.gitlab.tokens[GITLAB_TOKEN] = Token(name="laptop", expires_at=next_year)
    house.cloud.organisation("labs", tenant="22222222-2222-2222-2222-222222222222", feeds={"labs": []})
    house.acme.feeds.append(type(house.acme.feeds[0])("tools", None, "acme", []))
    script = house.home / "nightly-token"
    script.write_text(f"{NIGHTLY_TOKEN}\n")
    nightly = f"provider = 'command'\ncommand = ['sh', '{script}']\nverify = false"
    text = house.config.read_text()
    named = {feed_.split('"')[1]: feed_ for feed_ in text.split("[[feed]]")[1:]}
    head = text.partition("[[feed]]")[0]
    kept = "".join(f"[[feed]]{named[name]}" for name in ("google", "gitlab", "artifactory"))
    azure = "".join(feed(name, url) for name, url in (("corp", AZURE_FEED), ("tools", TOOLS)))
    house.configure(head + azure + kept + feed("nightly", NIGHTLY, nightly) + feed("labs", LABS))


def furnish(house: Household) -> None:
    """What people have: a project, an old password, a keyring that was never turned on."""
    (house.home / "app").mkdir()
    (house.home / "app" / "pyproject.toml").write_text(PROJECT)
    (house.home / ".netrc").write_text("machine pkgs.dev.azure.com\n  login dev\n  password of-last-year\n")
    (house.home / ".netrc").chmod(0o600)
    (house.home / ".local" / "bin").mkdir(parents=True)
    (house.bin / "keyring").rename(house.home / ".local" / "bin" / "keyring")
    house.environment["PATH"] = f"{house.home}/.local/bin:{house.environment['PATH']}"
    (house.bin / "uv").unlink(missing_ok=True)
    (house.bin / "uv").symlink_to(UV)
    del house.environment["UV_KEYRING_PROVIDER"]
    subprocess.run([UV, "venv", "-q"], cwd=house.home / "app", env=house.environment, check=True)


def picture(house: Household, typed: str, folder: Path, cwd: Path | None = None) -> None:
    """Type this on a terminal, and keep what it looked like as the picture of its verb."""
    verb = typed.split()[1]
    command = [str(BROKERCTL), *typed.split()[1:]]
    shown = on_screen(on_a_terminal(command, house.environment, cwd or house.home))
    dark, light = (drawn(f"$ {typed}\n{shown.rstrip()}", typed, verb, theme) for theme in THEMES)
    file = folder / f"{verb}.svg"
    file.write_text(with_both(dark, light))
    sys.stdout.write(f"{file}\n")


def drawn(text: str, title: str, verb: str, theme: TerminalTheme) -> str:
    """The terminal with this text as rich draws it."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(text))
    svg = console.export_svg(title=title, unique_id=verb, theme=theme)
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code", "ui-monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def with_both(dark: str, light: str) -> str:
    """The dark picture, with the light one's colours where the reader's screen is light.

    The two differ in colours alone: those of classes, and those of the window and of some cells.
    """
    colours = re.compile(r"#[0-9a-f]{6}")
    found, wanted = colours.findall(dark), colours.findall(light)
    names = {
        pair: f"--c{number}" for number, pair in enumerate(dict.fromkeys(zip(found, wanted, strict=True)))
    }
    pairs = iter(zip(found, wanted, strict=True))
    named = colours.sub(lambda _: f"var({names[next(pairs)]})", dark)
    named = re.sub(r'(fill|stroke)="(var\([^"]+\))"', r'style="\1: \2"', named)
    dark_ones, light_ones = (
        " ".join(f"{name}: {pair[which]};" for pair, name in names.items()) for which in (0, 1)
    )
    scheme = f"svg {{ {dark_ones} }}\n@media (prefers-color-scheme: light) {{ svg {{ {light_ones} }} }}\n"
    return named.replace("<style>\n", f"<style>\n{scheme}", 1)


def on_screen(written: str) -> str:
    """What is left on the screen of text that was redrawn in place, with its colours."""
    lines, row = [""], 0
    for part in CONTROL.split(written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            continue  # what follows is an erased line, or the end of this one
        elif (up := UP.fullmatch(part)) is not None:
            row = max(0, row - int(up[1] or 1))
        elif part == ERASE:
            lines[row] = ""
        elif not HIDDEN.fullmatch(part):
            lines[row] += part
    return "\n".join(lines)


def on_a_terminal(command: list[str], environment: dict[str, str], cwd: Path) -> str:
    """What the command writes to a terminal of COLUMNS by ROWS."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    variables = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(command, env=variables, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # Linux's way to say that nobody writes any more
    os.close(ours)
    child.wait()
    return shown.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    if os.geteuid() == 0 and os.getpid() != 1:  # doctor would see this machine's other brokers
        alone = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
        os.execvp(alone[0], [*alone, sys.executable, "-m", "tools.pictures", *sys.argv[1:]])  # noqa: S606 - no shell wanted
    main()
