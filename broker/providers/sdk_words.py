"""What an SDK said when it failed for a reason that is not known: its exception's class, and its message's
first line where the class is known to quote no secret.

No I/O. Our children print `Class: message`; one that broke printed a traceback, whose last line is that.
"""

import re

MESSAGE_CHARACTERS = 160
"""One line of a screen and a half: a message longer than this is cut."""

_LINE = re.compile(
    r"(?:\w+\.)*(?P<kind>[A-Z][A-Za-z]{0,60}(?:Error|Exception|NotFound|Required|Unsupported|Interrupt))"
    r"(?:: (?P<message>.*))?"
)


def named(way: str, words: str, tells: frozenset[str]) -> str:
    """That `way` failed, and how; `tells` are the classes whose message is the SDK's own text."""
    lines = [line for line in words.splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        lines = lines[-1:]
    found = _LINE.fullmatch(lines[0].strip()) if lines else None
    if found is None:
        return f"{way} failed without a word that can be told"
    message = (found["message"] or "").strip()
    if found["kind"] not in tells or not message.isprintable() or not message:
        return f"{way} failed: {found['kind']}"
    cut = message if len(message) <= MESSAGE_CHARACTERS else message[: MESSAGE_CHARACTERS - 3] + "..."
    return f"{way} failed: {found['kind']}: {cut}".rstrip(".")
