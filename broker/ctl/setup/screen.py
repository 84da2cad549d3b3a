"""What setup prints: the line of a step, what would be done, and how files of somebody else's change."""

from collections.abc import Iterable

import typer

from broker.ctl.setup.changes import Shown, Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.ui import terminal
from broker.ctl.ui.layout import laid_out

TOPIC_CELLS = 10


def show_diff(step: Step, shown: Shown) -> None:
    """What changes in files that are somebody else's, before it does."""
    for change in step.pending:
        if isinstance(change, Write):
            typer.echo(change.diff(shown(change.path)))


def show_plan(steps: Iterable[Step], shown: Shown, *, expected: str) -> None:
    """What would be done, and what a person would have to do; `expected` is the hint of a plain refusal."""
    nothing = True
    for step in steps:
        for change in step.pending:
            nothing = False
            typer.echo(f" would {change.planned(shown)}")
        if step.mark is not StepMark.DONE and step.hint != expected:
            say(step)
        elif step.mark is StepMark.WRONG:
            typer.echo(f" would keep   {step.said}   {step.hint}")
    if nothing:
        typer.echo("everything is set up already")


def say(step: Step) -> bool:
    """Print the step's line; True when it is wrong."""
    head = f" {step.mark} {step.topic:<{TOPIC_CELLS}} "
    terminal.say(laid_out(head, step.said, step.hint, cells=terminal.cells()))
    return step.mark is StepMark.WRONG
