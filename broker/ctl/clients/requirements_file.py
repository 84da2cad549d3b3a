"""The index options of a requirements file, by pip's grammar (pip's page "Requirements File Format").

They are read here rather than by pip-requirements-parser (PyPI): its last release, 32.0.1, is of December
2022, it copies a parser of pip's of that year, it needs pyparsing, and it parses every requirement where
only options matter. Files that are named by a URL are not fetched.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from optparse import Option, OptionParser, Values
from pathlib import Path
from typing import NoReturn

from broker.ctl.clients.foreign_files import beginning_of
from broker.ctl.clients.settings_text import LINE_CHARS
from broker.ctl.clients.time_limit import TooSlowError, at_most

FILES_S = 5.0
"""All that is led to: a thousand lines of options take 0.2 s."""

FILES_MAX = 32
"""Files that one file may lead to by -r and -c; more are not a project's."""

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_VALUED = (
    ("-f", "--find-links"),
    ("--no-binary",),
    ("--only-binary",),
    ("--trusted-host",),
    ("--use-feature",),
    ("--all-releases",),
    ("--only-final",),
    ("-e", "--editable"),
)
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes", "--pre")


@dataclass(frozen=True, slots=True)
class IndexOption:
    """One index: the URL as written, in which file, and at which line, from 1, its logical line begins.

    `name` is the option's long spelling.
    """

    url: str = field(repr=False)
    path: Path
    line: int
    name: str = "--index-url"


class _BadOptionError(Exception):
    """A line that pip refuses."""


class _Options(OptionParser):
    """pip's options of a line without a requirement, parsed by the library that pip parses them with."""

    def __init__(self) -> None:
        super().__init__(add_help_option=False)
        self.add_options(
            [
                Option("-i", "--index-url", "--pypi-url", dest="index", action="append"),
                Option("--extra-index-url", dest="extra", action="append"),
                Option("-r", "--requirement", dest="requirements", action="append"),
                Option("-c", "--constraint", dest="constraints", action="append"),
                *(Option(*names, dest="unused", action="append") for names in _VALUED),
                *(Option(name, dest="unused", action="store_true") for name in _FLAGS),
            ]
        )

    def error(self, msg: str) -> NoReturn:
        raise _BadOptionError(msg)


def index_options(
    path: Path, environ: Mapping[str, str], owners: Collection[int] | None = None
) -> Iterator[IndexOption]:
    """The indexes that a file names, and the files that it names with -r and -c, in the order of the lines.

    Never raises by itself: a file that cannot be read, or belongs to none of these uids, and a line that pip
    refuses name no index.
    """
    found: list[IndexOption] = []
    try:
        with at_most(FILES_S) as is_own_limit:
            found.extend(_options(path, environ, owners, []))
    except TooSlowError:
        if not is_own_limit:
            raise
    yield from found


def options_of_line(line: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The long spelling and the URL of each index that a line names by itself."""
    options = _parsed(line, environ)
    if options is not None:
        yield from (("--index-url", url) for url in options.index or ())
        yield from (("--extra-index-url", url) for url in options.extra or ())


def files_of_line(line: str, environ: Mapping[str, str]) -> Iterator[str]:
    """The files that a line leads to by -r or -c, as written; those that are named by a URL left out."""
    options = _parsed(line, environ)
    if options is not None:
        names = (options.requirements or options.constraints or ())[:1]
        yield from (name for name in names if "://" not in name)


def with_variables(text: str, environ: Mapping[str, str]) -> str:
    """The text with `${NAME}` replaced, as pip does: capitals only, and a variable that is not set stays."""
    return _VARIABLE.sub(lambda found: environ.get(found[1]) or found[0], text)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line without its comment, joined with those it continues into, and the number it begins at."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        is_comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not is_comment:
            first = first or number
            begun += line.strip("\\")
            continue
        yield first or number, begun + (f" {line}" if is_comment else line)
        begun, first = "", 0
    if first:
        yield first, begun


def _options(
    path: Path, environ: Mapping[str, str], owners: Collection[int] | None, seen: list[Path]
) -> Iterator[IndexOption]:
    if path in seen or len(seen) >= FILES_MAX:
        return
    seen.append(path)
    for number, line in logical_lines(beginning_of(path, owners)):
        options = _parsed(line, environ)
        if options is None:
            continue
        nested = options.requirements or options.constraints
        if nested:  # pip then passes over the line's other options
            name = with_variables(nested[0], environ)
            if "://" not in name:
                yield from _options(Path(os.path.normpath(path.parent / name)), environ, owners, seen)
            continue
        for name, urls in (("--index-url", options.index), ("--extra-index-url", options.extra)):
            for url in urls or ():
                yield IndexOption(url, path, number, name)


def _parsed(line: str, environ: Mapping[str, str]) -> Values | None:
    """The options of a line that begins with one; None for a requirement, and for a line that pip refuses or
    that is too long.
    """
    if len(line) > LINE_CHARS:
        return None
    line = _COMMENT.sub("", line).strip()
    if not line.startswith("-") and not with_variables(line, environ).startswith("-"):
        return None
    text = line if line.startswith("-") else with_variables(line, environ)
    try:
        options, words = _Options().parse_args(shlex.split(text))
    except (_BadOptionError, ValueError):
        return None
    return None if words else options
