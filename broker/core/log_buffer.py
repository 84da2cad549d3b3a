"""What the daemon said last, line by line, for those who cannot read where it is kept."""

from collections import deque

LINES_MAX = 500
LINE_CHARS_MAX = 2_000
"""A traceback is several lines; a line longer than this says no more."""


class LogBuffer:
    """The last LINES_MAX lines, numbered from 1 since the daemon's start."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._said = 0

    def add(self, text: str) -> None:
        """Remember each line of what was said."""
        for line in text.split("\n"):
            self._lines.append(line[:LINE_CHARS_MAX])
            self._said += 1

    def after(self, number: int) -> tuple[list[str], int]:
        """The lines that came after line `number` and are still remembered, and the last one's number."""
        said = self._said
        new = max(0, said - number)
        return (list(self._lines)[-new:] if new else []), said
