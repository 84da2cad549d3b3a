import json
import re
import time

import pytest

from broker.providers.printed_object import (
    SHAPE_CHARACTERS,
    printed_line,
    printed_object,
    printed_objects,
    printed_text,
    shape_of,
)
from tests.providers.tokens import jwt

TOKEN = "s3cret-of-the-vendor"
ANSWER = {"accessToken": TOKEN, "expiresOn": "2099-01-01T00:00:00Z", "tenant": "t"}
LINE, PRETTY = json.dumps(ANSWER), json.dumps(ANSWER, indent=2)

NOISY: dict[str, str] = {
    "nothing else": LINE,
    "pretty": PRETTY,
    "a byte order mark": f"\ufeff{LINE}",
    "CRLF, as programs of Windows print in WSL": PRETTY.replace("\n", "\r\n") + "\r\n",
    "ESC[0m after it (azure-sdk-for-python#18664)": f"{PRETTY}\n\x1b[0m",
    "colours in it (az's --output jsonc)": LINE.replace(
        '"accessToken"', '\x1b[94m"accessToken"\x1b[39;49;00m'
    ),
    "a title and a link of a terminal": f"\x1b]0;az\x07{LINE}\x1b]8;;https://x\x1b\\more\x1b]8;;\x1b\\",
    "a warning before it": f"WARNING: You have 3 update(s) available.\n{LINE}",
    "a message after it": f"{LINE}\nTo sign out, run 'az logout' {{or not}}",
    "braces of a log before it": f"DEBUG cli.core {{'a': 1}} {{ }} {{{{\n{LINE}",
    "console messages before it (azure-dev#7700)": (
        '{"type":"consoleMessage","timestamp":"2026-11-01T00:00:00Z","data":{"message":"Fetching\\n"}}\n'
        + LINE
    ),
    "printed twice": f"{LINE}\n{PRETTY}",
    "in a list": f"[{LINE}]",
    "bytes of another code page before it": f"Warnung: \udcfcberholt\n{LINE}",
}


@pytest.mark.parametrize("output", NOISY.values(), ids=NOISY.keys())
def test_the_one_object_is_found_in_what_stands_around_it(output: str) -> None:
    assert printed_object(output.encode(errors="surrogateescape"), "accessToken", "token") == ANSWER


OTHERS: dict[str, tuple[str, str]] = {
    "nothing": ("", "nothing"),
    "blanks": (" \r\n\x1b[0m", "nothing"),
    "a token alone": (TOKEN, "a line of text"),
    "a traceback": (f"Traceback\n  {TOKEN}\nKeyError", "3 lines of text"),
    "an error of its own": (
        f'{{"error": {{"code": "{TOKEN}", "inner": {{"a": 1}}}}}}',
        '{"error": {"code": text, "inner": {...}}}',
    ),
    "no token under the name": (
        '{"accessToken": null, "expires": 5}',
        '{"accessToken": null, "expires": number}',
    ),
    "a token for a name": (f'{{"{TOKEN}": true}}', '{"...": boolean}'),
    "a list": (f'["{TOKEN}"]', "a line of text"),
    "text around an object": (
        f'a\n{{"ok": []}}\n{TOKEN}\nc',
        'a line of text, {"ok": [...]}, 2 lines of text',
    ),
    "half of an object": (LINE[:-1], "a line of text"),
    "two tokens": ('{"token": "s3cret-a"} {"token": "s3cret-b"}', '{"token": text}, {"token": text}'),
}


@pytest.mark.parametrize(("output", "shape"), OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_is_told_by_its_shape(output: str, shape: str) -> None:
    assert printed_object(output.encode(), "accessToken", "token") == {}
    assert shape_of(output.encode()) == shape


def test_a_shape_is_one_short_printable_line_without_a_value() -> None:
    for output in [*NOISY.values(), json.dumps({"k" * 20: {"a": {"b": TOKEN}}, "z": [TOKEN] * 9, **ANSWER})]:
        shape = shape_of(output.encode(errors="surrogateescape"))

        assert shape.isprintable()
        assert len(shape) <= SHAPE_CHARACTERS
        assert not re.search(r"s3cret|2099|WARNING", shape)


SLOW = {
    "openings": "{" * 262144,
    "objects in objects": '{"a":' * 50000,
    "lists in lists": "[" * 262144,
    "a list without an end": '{"a": [1' + ",1" * 130000,
    "beginnings": '{"a' * 80000,
    "a number": '{"a":' + "9" * 200000 + "}",
    "escapes": "\x1b[" * 130000,
    "a title without an end": "\x1b]" * 130000,
}


@pytest.mark.parametrize("output", SLOW.values(), ids=SLOW.keys())
def test_output_made_to_be_slow_is_read_in_one_go(output: str) -> None:
    begun = time.process_time()

    assert printed_objects(output.encode()) == []
    assert time.process_time() - begun < 2


def test_a_token_stands_alone_or_is_the_one_jwt() -> None:
    token = jwt(aud="feed")

    assert printed_line("a pass phrase") == "a pass phrase"
    assert printed_line(f"warning: old\n{token}\nbye") == token
    assert printed_line(f"Your token: {token}") == token
    for several in (f"one\n{TOKEN}", f"{token}\n{jwt(aud='other')}"):
        with pytest.raises(ValueError, match="several lines") as raised:
            printed_line(several)
        assert TOKEN not in str(raised.value)


def test_text_has_neither_colours_nor_other_line_ends() -> None:
    assert printed_text(b"\xef\xbb\xbf\x1b[33ma\x1b[0m\r\nb\r\n") == "a\nb"
