"""Times whole commands, from spawn to exit, in rounds that all rivals share: noise hits each alike.

Nothing here knows what is measured.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.sheet import Ratio, ratio


@dataclass(frozen=True)
class Command:
    """What is timed. `every` times it in each so many rounds only, for a slow one."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    stdin: Path = Path(os.devnull)
    code: int = 0
    every: int = 1


@dataclass
class Times:
    """The seconds each run of a command took."""

    command: Command
    seconds: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """The median of the runs, in seconds."""
        return statistics.median(self.seconds)

    def against(self, unit: Times) -> Ratio:
        """This command's median and quartiles in medians of another."""
        return ratio(self.seconds, unit.median_s)


def once(command: Command) -> float:
    """Run the command once with its output discarded; return the seconds until it was reaped."""
    actions = (
        (os.POSIX_SPAWN_OPEN, 0, str(command.stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    )
    start = time.perf_counter()
    child = os.posix_spawn(command.arguments[0], command.arguments, command.environment, file_actions=actions)
    _, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code != command.code:
        message = f"{command.name} ended with {code} instead of {command.code}: nothing worth timing"
        raise RuntimeError(message)
    return seconds


def measure(commands: Sequence[Command], rounds: int) -> list[Times]:
    """Run all commands, again and again, and return the times of each but the first.

    In another order each time: what a command leaves in the caches slows or speeds the next one by up to a
    twentieth (measured), and that shall be nobody's advantage.
    """
    order = Random(1)  # noqa: S311 - the same orders in every run
    for command in commands:
        once(command)
    times = [Times(command) for command in commands]
    for number in range(rounds):
        for each in order.sample(times, len(times)):
            if number % each.command.every == 0:
                each.seconds.append(once(each.command))
    return times
