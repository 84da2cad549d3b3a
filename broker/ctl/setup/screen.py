"""What setup and teardown print: each step's line, the plan of a dry run, and diffs of the user's files."""

from collections.abc import Iterable

import typer

from broker.ctl.setup.file_changes import Shown, Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.ui import terminal
from broker.ctl.ui.layout import laid_out

TOPIC_CELLS = 10


GONE = "token-broker is not set up any more; everything that setup changed is as it was"

HALF_DONE = "what was done is on record; the same line again does the rest, and teardown undoes it"
HALF_UNDONE = "what was undone stays undone; the same line again does the rest"


def show_diffs(steps: Iterable[Step], shown: Shown) -> None:
    """The diffs of the files that belong to the user: those to which setup adds one line."""
    for step in steps:
        for change in step.pending:
            if isinstance(change, Write) and change.line is not None:
                typer.echo(change.diff(shown(change.path)))


def show_plan(steps: Iterable[Step], shown: Shown, *, expected: str) -> None:
    """What setup would do, and what the user would have to do; `expected` is the hint of a plain refusal."""
    told = set()
    for step in steps:
        for line in (change.planned(shown) for change in step.pending):
            if line not in told:  # poetry, twine and hatch need the same files
                typer.echo(f" would {line}")
            told.add(line)
        if step.mark is not StepMark.DONE and step.hint != expected:
            say(step)
        elif step.mark is StepMark.WRONG:
            typer.echo(f" would keep   {step.said}   {step.hint}")
    if not told:
        typer.echo("everything is set up already")


def do_steps(steps: Iterable[Step], log: UndoLog) -> bool:
    """Do the pending changes and print each step's line; True when a step is wrong."""
    wrong = False
    for step in steps:
        step.do(log)
        wrong |= say(step)
    return wrong


def undo(log: UndoLog) -> bool:
    """Undo every change and print what stays changed; False when there was nothing to undo."""
    if log.is_empty:
        typer.echo("nothing was set up here")
        return False
    for line in log.undo():
        typer.echo(f" {StepMark.OPEN} {line}")
    return True


def say(step: Step) -> bool:
    """Print the step's line; True when it is wrong."""
    head = f" {step.mark} {step.topic:<{TOPIC_CELLS}} "
    terminal.say(laid_out(head, step.said, step.hint, cells=terminal.cells()))
    return step.mark is StepMark.WRONG
