"""The text of a settings file, parsed: the same bytes once in a run.

Each question of a run looks at a project's files again, some forty times in all, and the pyproject.toml of a
monorepo takes as long to parse as brokerctl to start.
"""

import configparser
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from io import StringIO
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from broker.ctl.clients.time_limit import TooSlowError, at_most

PARSE_S = 2.0
"""A file of 200 kB takes 0.03 s."""

KEPT = 64
"""So many texts are kept."""

LINES_MAX = 10_000
LINE_CHARS = 4096
"""A value further down, or further to the right, has no line number: finding it would take too long."""

ENTRIES_MAX = 256
"""Tables, sections or addresses taken of one file."""

_LINE = re.compile(r"\bline:? +([0-9]+)")
"""Where tomllib and configparser say that the fault is, before they quote the file."""

_T = TypeVar("_T")


class SettingsText(NamedTuple):
    """What a file says and its lines; both are empty where `failure` is why it says nothing.

    `is_malformed`: whoever else reads the file refuses it, too.
    """

    content: Mapping[str, Any]
    lines: tuple[str, ...] = ()
    failure: str | None = None
    is_malformed: bool = False


@lru_cache(KEPT)
def toml_text(text: bytes) -> SettingsText:
    """As TOML. Raises TooSlowError where the time of more than this text is over."""
    # uv (0.13.8, run) reads a file that an editor began with a byte order mark; tomllib does not.
    return _parsed(text, "utf-8-sig", tomllib.loads, "TOML")


@lru_cache(KEPT)
def ini_text(text: bytes) -> SettingsText:
    """As an INI file (RawConfigParser, as pip and twine read theirs). Raises TooSlowError as `toml_text`."""
    return _parsed(text, "utf-8", sections, "an INI file")


def sections(text: str) -> dict[str, dict[str, str]]:
    """The sections of an INI file. Raises configparser.Error."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {section: dict(first_of(parser.items(section))) for section in first_of(parser.sections())}


def first_of(found: Iterable[_T]) -> Iterator[_T]:
    """As many as are taken of one file."""
    return islice(found, ENTRIES_MAX)


def _parsed(
    content: bytes, encoding: str, parse: Callable[[str], Mapping[str, Any]], kind: str
) -> SettingsText:
    try:
        with at_most(PARSE_S) as is_own_limit:
            text = content.decode(encoding)
            lines = [line.rstrip("\n") for line in StringIO(text, newline=None)]
            shown = tuple(line[:LINE_CHARS] for line in lines) if len(lines) <= LINES_MAX else ()
            return SettingsText(parse(text), shown)
    except UnicodeDecodeError:
        return SettingsText({}, failure="it is not text", is_malformed=True)
    except RecursionError:
        failure = "it is nested too deeply"
    except (ValueError, configparser.Error) as error:
        line = _LINE.search(str(error))
        failure = f"it is not {kind} at line {line[1]}" if line else f"it is not {kind} to its end"
        return SettingsText({}, failure=failure, is_malformed=True)
    except TooSlowError:
        if not is_own_limit:
            raise
        failure = f"it takes longer than {PARSE_S:g} s to read"
    return SettingsText({}, failure=failure)
