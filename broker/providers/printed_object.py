"""What a tool printed: text around one JSON object. Colours, line ends of another system, warnings before it
and messages after it are left out; the one object with the asked names is what counts.

No I/O. Nothing that was printed is part of a complaint but its shape: that there is text, and the names and
types inside of an object. Seen in the field: JSON followed by `ESC[0m` (azure-sdk-for-python#18664), lines of
`{"type":"consoleMessage",...}` before a token (azure-dev#7700), CRLF from programs of Windows in WSL.
"""

import json
import re
from collections.abc import Iterator, Mapping

from broker.providers.jwt import claims_of

SHAPE_CHARACTERS = 80
"""So much of a shape is told: one line of a terminal."""

SCAN_BUDGET = 4
"""What is parsed in vain, as a multiple of the output: nested beginnings would be parsed again and again."""

ATTEMPTS_MAX = 1000
"""So many beginnings are tried; logs have tens. Each that fails costs a count of all the lines before it."""

_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: a title, a link
    r"|\x1b[ -/]*[0-~]"
)
"""Control sequences of ECMA-48, and the two-character ones beside them."""

_BLANKS = " \t\n\v\f\0\x85\xa0\u2028\u2029\x07"

_BEGINNING = re.compile(r'\{(?=\s*["}])')
_JWT = re.compile(r"(?<![\w.-])[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?![\w.-])")
_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,30}")
"""The names that are told of an object; others could be a token that stands where a name should."""

_TYPES: Mapping[type, str] = {bool: "boolean", int: "number", float: "number", str: "text", list: "[...]"}

Segment = str | Mapping[str, object]


def printed_text(output: bytes) -> str:
    """The output as text without control sequences, with LF, without blanks at its ends.

    Bytes that are no UTF-8 stand in a warning beside the answer at best: each becomes one odd character. A
    NUL at an end is one that C programs write along with a text.
    """
    text = output.decode("utf-8-sig", errors="replace")  # PowerShell begins its text with a byte order mark
    return _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip(_BLANKS)


def printed_objects(output: bytes) -> list[Mapping[str, object]]:
    """The JSON objects in the output, in order, those inside of others left out."""
    return [part for part in _segments(printed_text(output)) if not isinstance(part, str)]


def printed_object(output: bytes, *names: str) -> Mapping[str, object]:
    """The one object that has something under any of the names; empty where none has, or where several differ
    that have.
    """
    having: list[Mapping[str, object]] = []
    for found in printed_objects(output):
        if any(found.get(name) for name in names) and found not in having:
            having.append(found)
    return having[0] if len(having) == 1 else {}


def printed_line(text: str) -> str:
    """The token that stands alone in a text: all of it, or the one JWT among other words.

    Raises ValueError where several lines could be it.
    """
    if len(text.split()) == 1:
        return text
    token = printed_jwt(text)
    if token is not None:
        return token
    if "\n" in text:
        raise ValueError("several lines")
    return text


def printed_jwt(text: str) -> str | None:
    """The one JWT among other words; None where there is none, or several that differ."""
    tokens = {found for found in _JWT.findall(text) if claims_of(found)}
    return tokens.pop() if len(tokens) == 1 else None


def shape_of(output: bytes) -> str:
    """What the output looks like, in at most SHAPE_CHARACTERS printable ones and without its values."""
    parts = []
    for part in _segments(printed_text(output)):
        if not isinstance(part, str):
            parts.append(_skeleton(part, depth=2))
        elif part.strip():
            lines = len([line for line in part.splitlines() if line.strip()])
            parts.append("a line of text" if lines == 1 else f"{lines} lines of text")
    shape = ", ".join(parts) or "nothing"
    return shape if len(shape) <= SHAPE_CHARACTERS else shape[: SHAPE_CHARACTERS - 3] + "..."


def _segments(text: str) -> Iterator[Segment]:
    """The text in its order: what stands between objects, and the objects."""
    decoder, begun, left = json.JSONDecoder(), 0, SCAN_BUDGET * len(text)
    for _, beginning in zip(range(ATTEMPTS_MAX), _BEGINNING.finditer(text), strict=False):
        at = beginning.start()
        if at < begun:
            continue
        try:
            found, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            left -= max(error.pos - at, 1)
            if left < 0:
                break
        except (ValueError, RecursionError):  # a number of thousands of digits; brackets in brackets
            break
        else:
            yield text[begun:at]
            yield found
            begun = end
    yield text[begun:]


def _skeleton(value: object, depth: int) -> str:
    if value is None:
        return "null"
    if not isinstance(value, Mapping):
        return _TYPES.get(type(value), "something")
    if not depth:
        return "{...}"
    inner = (
        f'"{name if _KEY.fullmatch(name) else "..."}": {_skeleton(each, depth - 1)}'
        for name, each in value.items()
    )
    return "{" + ", ".join(inner) + "}"
