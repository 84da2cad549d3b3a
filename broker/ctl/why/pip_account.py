"""pip's account: the log that `PIP_LOG` makes it write, one line a record. Pure.

The wordings are those of pip 20.3.4, 22.3.1, 25.3 and 26.3, each run (`_internal/network/auth.py`); the
name of the provider is said from 23.1 on. pip names hosts rather than URLs where it takes a password.
"""

import re
from collections.abc import Callable, Iterator

from broker.ctl.clients.client_index import PIP
from broker.ctl.why.account import AccountAct, AccountStep, Source
from broker.ctl.why.uv_account import bare

VARIABLE = "PIP_LOG"

LINE_CHARS_MAX = 4096
"""A longer line lists links or a traceback; no wording is as long."""

_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:,.]+ +")
_VERSION = re.compile(r"Using pip ([0-9][^\s]*) from (.+) \(python [0-9.]+\)")
_HOST = r"(?P<host>[^\s/]+)"
_URL = r"(?P<url>https?://\S+?)"
_PROVIDER = "Keyring provider "
_CAUSE = re.compile(r"\(Caused by .*?(['\"])(?:<[^>]+>: )?((?:(?!\1).)+)\1\)*$")
"""urllib3's, which pips before 26.3 repeat whole: the innermost is in quotes."""

Wording = tuple[re.Pattern[str], Callable[[re.Match[str]], AccountStep]]


def message_of(line: str) -> str | None:
    """The record without its time; None for a line that begins none."""
    found = _STAMP.match(line[:LINE_CHARS_MAX])
    return None if found is None else line[found.end() : LINE_CHARS_MAX].rstrip()


def version_of(message: str) -> str | None:
    """The version of the pip that speaks, in the one record that says it."""
    found = _VERSION.fullmatch(message)
    return None if found is None else found[1]


def steps_of(message: str) -> Iterator[AccountStep]:
    """The steps that a record tells of."""
    head, separator, listed = message.partition("Looking in indexes: ")
    if separator and not head:
        for url in listed.split(", "):
            yield AccountStep(PIP, AccountAct.REQUESTED, bare(url.strip()))
        return
    for pattern, meaning in _WORDINGS:
        found = pattern.fullmatch(message)
        if found is not None:
            yield meaning(found)
            return


def _found(source: Source) -> Callable[[re.Match[str]], AccountStep]:
    return lambda found: AccountStep(PIP, AccountAct.FOUND, bare(found["host"]), source=source)


def _refused(found: re.Match[str]) -> AccountStep:
    return AccountStep(PIP, AccountAct.REFUSED, bare(found["url"]), status=int(found["status"]))


def _unreached(found: re.Match[str]) -> AccountStep:
    why = found["why"].removeprefix("connection error: ")
    cause = _CAUSE.search(why)
    return AccountStep(
        PIP, AccountAct.UNREACHED, bare(found["url"]), detail=why if cause is None else cause[2].strip()
    )


def _wording(text: str, meaning: Callable[[re.Match[str]], AccountStep]) -> Wording:
    return re.compile(text), meaning


_WORDINGS: tuple[Wording, ...] = (
    _wording(rf"Found credentials in (?:index )?url for {_HOST}", _found(Source.OWN)),
    _wording(rf"Found credentials in netrc for {_HOST}", _found(Source.NETRC)),
    _wording(rf"Found credentials in keyring for {_HOST}", _found(Source.KEYRING)),
    _wording(
        rf"Getting (?:credentials|password) from keyring for {_URL}",
        lambda found: AccountStep(PIP, AccountAct.ASKED, bare(found["url"])),
    ),
    _wording(
        rf"{_PROVIDER}set: (?P<name>\S+)(?: with executable .*)?",
        lambda found: AccountStep(PIP, AccountAct.PROVIDER, detail=found["name"]),
    ),
    _wording(
        r"(?:WARNING: )?Keyring is skipped due to an exception: (?P<why>.*)",
        lambda found: AccountStep(PIP, AccountAct.NOT_RUN, detail=found["why"]),
    ),
    _wording(rf"(?:WARNING: )?(?P<status>40[13]) Error, Credentials not correct for {_URL}", _refused),
    _wording(rf"Could not fetch URL {_URL}: (?P<status>[0-9]{{3}}) .*", _refused),
    _wording(rf"Could not fetch URL {_URL}: (?P<why>.+) - skipping", _unreached),
    _wording(
        rf"(?:ERROR: )?(?:HTTP error|.*HTTPError:) (?P<status>[0-9]{{3}}) .*"
        rf"(?:for url:|while getting) {_URL}",
        _refused,
    ),
)
