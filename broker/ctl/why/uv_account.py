"""uv's account: the lines that `RUST_LOG=uv_auth=trace` makes it write on stderr. Pure.

The wordings are those of uv 0.5.31, 0.8.24 and 0.13.9, each run; a line that none of them fits means nothing.
Before 0.7.4 uv showed passwords in its trace (uv's changelog, 0.6.15 and 0.7.4), so `level_for` leaves an
older one at debug, which never did.
"""

import re
from collections.abc import Callable, Iterator
from itertools import takewhile

from broker.ctl.clients.client_index import UV
from broker.ctl.why.account import AccountAct, AccountStep, Source

VARIABLE = "RUST_LOG"
TARGET = "uv_auth"
ANSWERS = "uv_client::cached_client"
"""Says how the server answered in the end. With `--index-strategy unsafe-*` uv names no refusal elsewhere."""


TRACE = "trace"
TRACE_HIDES_PASSWORDS = (0, 7, 4)

LAST_WORD = "last word"
"""The detail of a refusal that uv names in the end: in its trace it is refused once as a matter of course."""

LEVELS = ("TRACE", "DEBUG", "WARN")
"""Those that uv-auth writes at (its `crates/uv-auth`, August 2026)."""

_VERSION = re.compile(r"uvx? ([0-9]+)\.([0-9]+)\.([0-9]+)")
_URL = r"`?(?P<url>https?://[^\s`]+?)`?"
_USER = r"(?:(?P<user>[^\s`]*?)@(?=https?://))?"
_SOURCES = {
    "netrc file": Source.NETRC,
    "plaintext store": Source.STORE,
    "native store": Source.STORE,
    "keyring": Source.KEYRING,
}

Wording = tuple[re.Pattern[str], Callable[[re.Match[str], str], AccountStep]]


def level_for(version: tuple[int, ...] | None) -> str:
    """The level at which a uv of this version tells everything it may tell; None: it is not known."""
    return "debug" if version is None or version < TRACE_HIDES_PASSWORDS else TRACE


def version_in(text: str) -> tuple[int, ...] | None:
    """The version that `uv --version` printed."""
    found = _VERSION.search(text)
    return None if found is None else tuple(int(number) for number in found.groups())


def filter_with(inherited: str | None, level: str) -> str:
    """The value of RUST_LOG that adds the account to what the user asked to see."""
    answers = f"{ANSWERS}={level}" if level == TRACE else None
    return ",".join(filter(None, (inherited, f"{TARGET}={level}", answers)))


def steps_of(line: str) -> Iterator[AccountStep]:
    """The step that a line of the account, without its level, tells of; none where it tells of none."""
    for pattern, meaning in _WORDINGS:
        found = pattern.fullmatch(line)
        if found is not None:
            url = found.groupdict().get("url") or ""
            yield meaning(found, bare(url))
            return


def is_known(line: str) -> bool:
    """True for a line that any of the uvs that were run writes, whether or not it tells of a step."""
    return _HEADS.match(line) is not None


def refusals_in(text: str) -> Iterator[AccountStep]:
    """The indexes that uv names in its final message as refused; `text` is what it wrote besides the account,
    without colours.

    uv breaks that message at the width of the screen (0.5, 0.8), so white space is as good as a blank.
    """
    flat = " ".join(_BOX.sub(" ", text).split())
    for pattern in _REFUSALS:
        for found in pattern.finditer(flat):
            status = found.groupdict().get("status")
            yield AccountStep(
                UV,
                AccountAct.REFUSED,
                bare(found["url"]),
                status=int(status) if status else None,
                detail=LAST_WORD,
            )


def unreached_in(text: str) -> Iterator[AccountStep]:
    """The addresses that uv says it got no answer from, with the deepest cause it gives.

    `text` is without colours. uv 0.13 breaks lines at the width of the screen; older ones say `Caused by`.
    """
    lines = _BROKEN.sub(" ", text).splitlines()
    for number, line in enumerate(lines):
        found = _UNSENT.search(line)
        if found is not None:
            causes = [
                each[1] for each in takewhile(bool, map(_CAUSE_LINE.match, lines[number + 1 :])) if each
            ]
            why = causes[-1] if causes else "no connection"
            yield AccountStep(UV, AccountAct.UNREACHED, bare(found["url"]), detail=why)


def bare(url: str) -> str:
    """The URL without userinfo, which an account shows as `****`."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _wording(text: str, meaning: Callable[[re.Match[str], str], AccountStep]) -> Wording:
    return re.compile(text), meaning


_WORDINGS: tuple[Wording, ...] = (
    _wording(
        rf"Handling request for {_URL}(?: with authentication policy (?P<policy>[a-z]+))?",
        lambda found, url: AccountStep(UV, AccountAct.REQUESTED, url, detail=found["policy"] or ""),
    ),
    _wording(
        rf"Request for {_URL} (?:already contains (?:complete authentication|username and password)"
        r"|is(?: already)? fully authenticated)",
        lambda _, url: AccountStep(UV, AccountAct.FOUND, url, source=Source.OWN),
    ),
    _wording(
        rf"Request for {_URL} failed with (?P<status>[0-9]{{3}}).*",
        lambda found, url: AccountStep(UV, AccountAct.REFUSED, url, status=int(found["status"])),
    ),
    _wording(
        r"Received response for (?:fresh|revalidation) request with status (?P<status>40[13])\b.*"
        rf" for: {_URL}",
        lambda found, url: AccountStep(
            UV, AccountAct.REFUSED, url, status=int(found["status"]), detail=LAST_WORD
        ),
    ),
    _wording(
        rf"Skipping keyring (?:fetch|lookup) for {_URL} (?:without|with no) username.*",
        lambda _, url: AccountStep(UV, AccountAct.SKIPPED, url),
    ),
    _wording(
        rf"Checking keyring for credentials for (?:index URL |full URL )?`?{_USER}{_URL}"
        r"(?: without username.*)?",
        lambda found, url: AccountStep(UV, AccountAct.ASKED, url, found["user"] or None),
    ),
    _wording(
        r"Failure running `keyring` command: (?P<why>.*)",
        lambda found, url: AccountStep(UV, AccountAct.NOT_RUN, url, detail=found["why"]),
    ),
    _wording(
        rf"Found credentials in (?P<source>{'|'.join(_SOURCES)}) for {_URL}",
        lambda found, url: AccountStep(UV, AccountAct.FOUND, url, source=_SOURCES[found["source"]]),
    ),
    _wording(
        rf"Updating cached credentials for {_URL} to .*",
        lambda _, url: AccountStep(UV, AccountAct.ACCEPTED, url),
    ),
)

_HEADS = re.compile(
    "|".join(  # noqa: FLY002 - the lines are too long for one
        (
            r"Caching credentials for |Handling request for |Attempting .* request for ",
            r"Request for .* (is (unauthenticated|missing a|already fully|fully auth)|failed with )",
            r"Request for .* already contains (complete auth|username and)|Retrying request for ",
            r"Updating cached credentials ",
            r"(No|Found) .* (in cache|in environment|file found)|Found (cached credentials|username for) ",
            r"Found credentials in |Using credentials from |Loaded credential file|No (entry|netrc) ",
            r"(Checking|Skipping) (keyring|netrc|text|native|for|fetch)|Error reading netrc",
            r"Received response for |Sending (fresh|revalidation) |No cache entry |Considering retry of ",
            r"Found (fresh|stale|modified) response for|Broken (fresh )?cache entry ",
            r"Failure running `keyring`|Failed to (wait|parse|load|get credentials)|Got (username|empty)",
        )
    )
)

_BOX = re.compile(r"[\u2500-\u257f\u00d7]")
_BROKEN = re.compile(r"\r*\n {7,}(?=[^\s])(?!cause: |Caused by: )")
_UNSENT = re.compile(r"error sending request for url \((?P<url>[^)\s]+)\)")
_CAUSE_LINE = re.compile(r"\s*(?:cause|Caused by): (.+)")
_REFUSALS = (
    re.compile(r"to `(?P<url>https?://[^\s`]+)` cause: Server returned status code (?P<status>[0-9]{3})\b"),
    re.compile(r"Missing credentials for:? `?(?P<url>https?://[^\s`]+?)[`.,;]?(?= |$)"),
    re.compile(
        r"index URL \((?P<url>https?://[^\s)]+)\) (?:could not be queried|returned a) [^(]*"
        r"\((?P<status>[0-9]{3})\b"
    ),
    re.compile(
        r"HTTP status client error \((?P<status>[0-9]{3})[^)]*\) for url \((?P<url>https?://[^\s)]+)\)"
    ),
)
