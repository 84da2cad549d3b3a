"""The demo's output: what runs, how long it took, and what to do next."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from broker.ctl.command_error import CommandError
from broker.ctl.demo.index import LOOPBACK, USERNAME, DemoIndex
from broker.ctl.demo.measure import Run, Stage, uv_beside_us
from broker.ctl.exec.private_broker import private_broker
from broker.host.clock import SystemClock

RUNS = 5
GLANCE_S = 0.1
BAR_CELLS = 20
WHOLE_MS = 100
"""From here on, tenths of a millisecond are noise."""

LATE_S = 60.0
"""A machine too busy to replace a token in time is said to be late, but not waited for any longer."""

NEXT = """\
Next:
  brokerctl exec -- uv sync    your own project, with nothing installed
  brokerctl setup              for good: a service, and uv and pip that ask it"""


def show(*, life_s: float, takes_s: float) -> None:
    """Run the demo on this terminal: tokens live `life_s`, fetching one takes `takes_s`. Raises
    CommandError.
    """
    console = Console(highlight=False, soft_wrap=True)
    uv = uv_beside_us()
    index = DemoIndex(life_s)
    with ExitStack() as running:
        with console.status("starting a package index and a broker"):
            running.enter_context(index.serving())
            broker = running.enter_context(private_broker())
            command = _token_command(index, broker.directory, takes_s)
            stage = Stage(uv, broker, index, command)
            running.enter_context(broker.serving(_configuration(index, broker.directory, command)))
        console.print(f"The index at {index.origin} wants tokens that live {life_s:g} s; to fetch")
        console.print(
            f"one takes {takes_s:g} s. uv installs from it, and asks `keyring` for a token each time.\n"
        )
        _install(console, stage)
        console.print()
        _watch_renewal(console, stage, index)
        console.print()
        _compare(console, stage)
    console.print(f"\n{NEXT}")


def _token_command(index: DemoIndex, directory: Path, takes_s: float) -> list[str]:
    """The program that stands for `az`, signed in: its secret is in a file that only its user reads."""
    secret = directory / "sign-in"
    secret.touch(0o600)
    secret.write_text(index.sign_in_secret)
    program = [sys.executable, "-m", "broker.ctl.demo.token_command"]
    return [*program, f"{index.origin}/token", str(secret), str(takes_s)]


def _configuration(index: DemoIndex, directory: Path, command: Sequence[str]) -> Path:
    """The private broker's configuration: one feed, whose token a command prints."""
    keys = {"name": USERNAME, "url": index.url, "provider": "command", "command": list(command)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]  # these are TOML as well
    proxies = f'[env]\nNO_PROXY = "{LOOPBACK}"\nno_proxy = "{LOOPBACK}"\n'
    file = directory / "config.toml"
    file.write_text("\n".join(["auto = false", "[[feed]]", *lines, proxies]))
    return file


def _install(console: Console, stage: Stage) -> None:
    """Install a few times; on a terminal the table grows as it happens."""
    runs: list[Run] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while len(runs) < RUNS:
            runs.append(stage.run())
            if console.is_terminal:
                live.update(_table(runs), refresh=True)
    console.print(_table(runs))
    console.print("look-up: the shim with uv's arguments, start to end, just before uv ran", style="dim")


def _table(runs: Sequence[Run]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for header in ("install", "look-up", "uv took", "look-ups by uv", "tokens fetched", ""):
        table.add_column(header, justify="right" if header else "left", no_wrap=True)
    for number, run in enumerate(runs, 1):
        remark = Text("waited for it" if number == 1 else "from memory", style="dim")
        counts = (str(run.asked), str(run.fetches))
        table.add_row(str(number), _ms(run.lookup_ms), _ms(run.install_ms), *counts, remark)
    return table


def _watch_renewal(console: Console, stage: Stage, index: DemoIndex) -> None:
    """Wait for the broker to replace the token by itself; print when it did. Raises CommandError if it does
    not.
    """
    clock = SystemClock()
    first = index.issued[0]
    limit = first.after(index.life_s + LATE_S)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while len(index.issued) == 1:
            if limit.reached(clock.now()):
                raise CommandError("the token was not replaced", hint="brokerctl doctor")
            if console.is_terminal:
                live.update(_life(first.after(index.life_s).left_s(clock.now()), index.life_s), refresh=True)
            clock.pause(GLANCE_S)
    age_s = index.issued[1].boot_s - first.boot_s
    when = f"{age_s:.1f} s after it was issued"
    if age_s < index.life_s:
        console.print(f"Replaced {when}, {index.life_s - age_s:.1f} s before its end, and no look-up waited:")
    else:
        console.print(f"Replaced {when}, {age_s - index.life_s:.1f} s late: this machine is very busy;")
    fetches = stage.feed("fetches")
    console.print(f"a look-up now takes {_ms(stage.lookup_ms())}, and {fetches} tokens were fetched in all.")


def _life(left_s: float, life_s: float) -> Text:
    full = round(BAR_CELLS * left_s / life_s)
    return Text.assemble(
        "the token lives  ", ("█" * full + "░" * (BAR_CELLS - full), "green"), f"  {left_s:4.1f} s left"
    )


def _compare(console: Console, stage: Stage) -> None:
    """The same look-up in other ways, and how many times faster ours is."""
    # No spinner: its thread would be measured, too.
    with Live(
        Text("the same look-up in other ways ..."), console=console, auto_refresh=False, transient=True
    ):
        shim_ms, keyring_ms, command_ms = stage.shim_ms(), stage.keyring_ms(), stage.token_command_ms()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_row("the same look-up, by token-broker's keyring", _ms(shim_ms))
    if keyring_ms is not None:
        table.add_row("by the keyring library's own command", _ms(keyring_ms))
    table.add_row("by the token command, where nothing is kept", _ms(command_ms))
    console.print(table)
    console.print("\ntoken-broker answers", end=" ")
    if keyring_ms is not None:
        console.print(
            f"{keyring_ms / shim_ms:,.0f} times faster than the plain keyring command,", style="bold"
        )
    console.print(f"{command_ms / shim_ms:,.0f} times faster than fetching a token each time.", style="bold")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= WHOLE_MS else f"{milliseconds:.1f} ms"
