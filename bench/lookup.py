"""A look-up from spawn to exit, against its rivals in the same run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import chart, programs
from bench.rivals import Absent, git_cache, nofuss, official, plain_keyring, ssh_agent
from bench.servers import SECRET, URL, Server, basic_feeds, brokerd, constant, exchange
from bench.sheet import Aim, Sheet
from bench.whole_process import Command, Times, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLIENT = programs.SHIM.parent
CHART = Path(__file__).resolve().parents[1] / "docs" / "lookup.svg"
FLOOR = "floor: one exchange, without libc, with a server in C"
AZ_PAUSES_S = (0.0, 1.0)


def sheet(*, short: bool, rivals: Path) -> Sheet:
    """Measure; all but the short look also draws the chart, with rivals that are installed below `rivals`."""
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="b-")))
        commands: list[Command] = []
        absent: list[str] = []
        for each in (*_quick(folder, undo), *(() if short else _slow(rivals, undo))):
            if isinstance(each, Absent):
                absent.append(f"Not here: {each}.")
            else:
                commands.append(each)
        times = measure(commands, 40 if short else 400)
    if not short:
        CHART.write_text(chart.of({each.command.name: each.median_s for each in times}))
    return report(times, absent)


def _quick(folder: Path, undo: ExitStack) -> Iterator[Command | Absent]:
    broker = undo.enter_context(brokerd(folder / "home", basic_feeds(1, 1)))
    floor = undo.enter_context(constant(folder))
    peer = undo.enter_context(exchange(folder))
    yield Command(FLOOR, [str(programs.floor(folder)), str(peer.socket)], {})
    for compiler in programs.compilers():
        yield Command(f"empty static program ({compiler})", [str(programs.empty(compiler, folder))], {})
        shim = programs.shim(compiler, folder)
        yield _asking(f"native shim ({compiler})", shim, broker)
        yield _asking(f"native shim ({compiler}) at a server in C", shim, floor)
    yield undo.enter_context(git_cache(folder))
    yield undo.enter_context(ssh_agent(folder))
    yield _python_shim(folder, broker)
    yield plain_keyring()


def _slow(rivals: Path, undo: ExitStack) -> Iterator[Command | Absent]:
    from tests.e2e.household import household  # noqa: PLC0415 - a cloud, which a short look does without

    for pause_s in AZ_PAUSES_S:
        yield nofuss(undo.enter_context(household()), rivals, pause_s)
    yield from official(undo.enter_context(household()), rivals)


def _asking(name: str, program: Path, server: Server, *, every: int = 1) -> Command:
    """A look-up by a shim, once it was seen to answer."""
    command = [str(program), "get", URL, "ci"]
    found = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True).stdout
    assert found == f"{SECRET}\n", name
    return Command(name, command, server.environment, every=every)


def _python_shim(folder: Path, broker: Server) -> Command:
    """The Python shim as the pure wheel installs it."""
    home = folder / "pure"
    venv.create(home, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    shutil.copy(CLIENT / "token_broker_client.py", packages)
    program = home / "bin" / "keyring-shim"
    _, rest = (CLIENT / "keyring_shim.py").read_text().split("\n", 1)
    program.write_text(f"#!{home}/bin/python\n{rest}")
    program.chmod(0o755)
    return _asking("Python shim", program, broker, every=4)


def report(times: list[Times], notes: list[str]) -> Sheet:
    """The table and what was aimed at."""
    unit = next(each for each in times if each.command.name.startswith("empty"))
    took = {each.command.name: each.median_s for each in times}
    git, glibc, musl = "git credential-cache get", "native shim (cc)", "native shim (musl-gcc)"
    wanted = (
        (glibc, unit.command.name, 1.8),
        (musl, unit.command.name, 1.25),
        (glibc, git, 0.75),
        (musl, FLOOR, 2.0),
        (musl, git, 0.5),
        (musl, "keyring, empty backend", 1 / 100),
        (musl, "keyring + nofuss, az of 1 s", 1 / 1000),
    )
    return Sheet(
        f"A look-up, from spawn to exit, in those of the {unit.command.name}",
        ("command", "ratio (quartiles)", "runs"),
        [(each.command.name, str(each.against(unit)), str(len(each.seconds))) for each in times],
        [Aim(f"{a} : {b}", took[a] / took[b], most) for a, b, most in wanted if a in took and b in took],
        [*notes, *_parts(took, musl)],
    )


def _parts(took: Mapping[str, float], shim: str) -> Iterator[str]:
    """Whose the time above the floor is."""
    at_constant = f"{shim} at a server in C"
    if {FLOOR, shim, at_constant} <= took.keys():
        daemons = (took[shim] - took[at_constant]) / (took[shim] - took[FLOOR])
        yield (
            f"Of what the {shim} takes above the floor, {daemons:.0%} is the daemon's, beside a server in C;"
            " the rest is its own: it asks who owns the folders, the socket and its listener (17 more system"
            " calls), and has a libc (4 more pages)."
        )
