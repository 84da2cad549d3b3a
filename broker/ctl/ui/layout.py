"""A sentence and the command that goes with it, for a terminal: commands are copied, never broken. Pure."""

from textwrap import wrap

GAP_CELLS = 3
INDENT_CELLS = 6
"""Of a command that has no room where the others stand."""


def laid_out(head: str, said: str, hint: str | None, *, cells: int | None, column: int | None = None) -> str:
    """`head` and the sentence, broken under its own beginning at `cells` (None: never), then the command.

    The command begins at `column`, on the sentence's line where that is short enough; without a column it
    follows the sentence.
    """
    lines = [f"{head}{said}"]
    if cells is not None:
        lines = wrap(said, cells, initial_indent=head, subsequent_indent=" " * len(head)) or lines
    if hint is None:
        return "\n".join(lines)
    if column is None:
        beside, below = f"{lines[-1]}{'':{GAP_CELLS}}{hint}", f"{'':{len(head)}}{hint}"
    else:
        beside, below = f"{lines[-1]:<{column}} {hint}", f"{'':{column}} {hint}"
    fits = column is None or len(lines[-1]) < column
    if fits and (cells is None or len(beside) <= cells):
        return "\n".join([*lines[:-1], beside])
    if cells is not None and len(below) > cells:
        below = f"{'':{INDENT_CELLS}}{hint}"
    return "\n".join([*lines, below])
