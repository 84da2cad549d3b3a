"""A sentence and the command that goes with it, for a terminal: what is copied is never broken. Pure."""

from textwrap import wrap

GAP_CELLS = 3
INDENT_CELLS = 6
"""Of a command that has no room where the others stand."""


def broken(text: str, cells: int, head: str = "") -> list[str]:
    """`head` and the text in lines of so many cells, each below the text's beginning; at least one.

    Only between words: paths and options are copied, and a terminal itself goes on with a line that is too
    long for it without a break.
    """
    lines = wrap(
        text,
        max(1, cells),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [f"{head}{text}"]


def laid_out(head: str, said: str, hint: str | None, *, cells: int | None, column: int | None = None) -> str:
    """`head` and the sentence, broken under its own beginning at `cells` (None: never), then the command.

    The command begins at `column`, on the sentence's line where that is short enough; without a column it
    follows the sentence.
    """
    lines = [f"{head}{said}"] if cells is None else broken(said, cells, head)
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


def beside(said: str, hint: str, cells: int | None) -> str:
    """The sentence, a colon and the command, which has a line of its own where one line is too short."""
    whole = f"{said}: {hint}"
    return whole if cells is None or len(whole) <= cells else below(f"{said}:", hint, INDENT_CELLS, cells)


def below(said: str, hint: str | None, indent: int, cells: int | None) -> str:
    """The sentence, and the command below it, indented so far unless it would leave the line by that."""
    lines = [said] if cells is None else broken(said, cells)
    if hint is None:
        return "\n".join(lines)
    fits = cells is None or indent + len(hint) <= cells
    return "\n".join([*lines, f"{'':{indent if fits else min(indent, INDENT_CELLS)}}{hint}"])
