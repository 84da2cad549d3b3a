"""Tables and heads of the generated Markdown pages."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made from the code by `python -m tools.reference`: change the code or tools/reference, not this page. -->"


def page(title: str, *parts: str) -> str:
    """Return a whole page: the head, then each part with an empty line before it."""
    return "\n\n".join((f"# {title}", MADE, *(part.strip("\n") for part in parts))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar within a cell is escaped, a line break becomes a space."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def code(text: str) -> str:
    """Return the text as code, or nothing for an empty one."""
    return f"`{text}`" if text else ""
