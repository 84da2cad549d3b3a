"""What is said of clients that give no account: library clients, and look-ups without an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from broker.ctl.clients.client_index import PIP, UV, Index, Place
from broker.ctl.clients.command_line import PLACE, PROVIDER, shown_command
from broker.ctl.clients.keyless_clients import REFUSALS, keyless_addresses
from broker.ctl.clients.keyring_provider import SUBPROCESS
from broker.ctl.clients.library_clients import LIBRARY_CLIENTS, library_client
from broker.ctl.clients.pipfile import PIPENV
from broker.ctl.clients.pypirc import TWINE
from broker.ctl.clients.source_projects import PDM, POETRY, POETRY_KEYRING, POETRY_OFF, poetry_keyring_off
from broker.ctl.doctor.finding import Finding, problem, warning
from broker.ctl.why import repairs
from broker.ctl.why.evidence import Evidence, is_below
from broker.ctl.why.foreign_index import proposed_feed
from broker.ctl.why.gateway_cure import behind_gateway
from broker.ctl.why.index_account import IndexAccount, bare_of, unclaimed
from broker.ctl.why.pipenv_cause import pipenv_findings

HATCH = "hatch"
ISOLATED = "--isolated"
HATCH_USER = "HATCH_INDEX_USER"
RUN = "run"
"""Hands over to a program whose failure is its own. hatch asks the library to publish alone."""
LOOSE = (PIP, UV)
"""Whose indexes those of the command line are taken for, whoever reads them."""

PASSWORDS = {TWINE: "TWINE_PASSWORD", HATCH: "HATCH_INDEX_AUTH", PDM: "PDM_PUBLISH_PASSWORD"}
"""The variable that each takes a password from before it asks (their pages on publishing)."""


def other_findings(evidence: Evidence, groups: Sequence[IndexAccount]) -> Iterator[Finding]:
    """Findings that no client's account tells of. A failed look-up is one, whoever asked."""
    for lookup in unclaimed(evidence, groups):
        if lookup.outcome == "error":
            feed = next((each for each in evidence.served if each.name == lookup.feed), None)
            why = feed.error if feed is not None and feed.error else "the broker could not answer"
            yield problem("unanswered", f"{lookup.feed or lookup.url}: {why}", lookup.hint)
    yield from _isolated_pip(evidence)
    yield from _no_feed(evidence, groups)
    yield from _library_client(evidence, groups)
    if not groups:
        yield from pipenv_findings(evidence)
    yield from _keyless_client(evidence)


def _no_feed(evidence: Evidence, groups: Sequence[IndexAccount]) -> Iterator[Finding]:
    """An index that a client asked for, and that no feed has; poetry asks for public ones, too."""
    seen: set[str] = set()
    for lookup in unclaimed(evidence, groups):
        url = lookup.url.rstrip("/")
        if lookup.is_answered or "://" not in url or url in seen or evidence.feed_of(url) is not None:
            continue
        seen.add(url)
        above = ((each, bare_of(each)) for each in evidence.indexes)
        index = next((each for each, bare in above if bare and is_below(url, bare)), None)
        account = IndexAccount(evidence.options.program, url, index)
        line = proposed_feed(account, evidence)
        if line is not None:
            yield problem("no-feed", f"{url} is no feed of the broker's", line)


def _isolated_pip(evidence: Evidence) -> Iterator[Finding]:
    """What turns the keyring on for a pip that reads no variable, and so gives no account either."""
    words = evidence.options.words
    if ISOLATED not in words or evidence.options.provider is not None or evidence.run.lookups:
        return
    feed = next(filter(None, (evidence.feed_of(each.url) for each in evidence.options.indexes)), None)
    if feed is not None and evidence.options.program in {PIP, "pip3"}:
        at = words.index(ISOLATED) + 1
        line = shown_command([*words[:at], f"{PROVIDER}={SUBPROCESS}", *words[at:]])
        said = f"with {ISOLATED} pip reads no variable and no settings of yours: its keyring provider is auto"
        yield warning("provider", said, line)


def _keyless_client(evidence: Evidence) -> Iterator[Finding]:
    """What cures a client that asks no keyring, where it was refused for want of a password."""
    name = evidence.options.program
    refusal = REFUSALS.get(name)
    if refusal is None or refusal.search(evidence.run.said) is None:
        return
    for url in keyless_addresses(name, evidence.options.words, evidence.directory, evidence.user_dirs):
        feed, line = evidence.feed_of(url), behind_gateway([url], evidence)
        if feed is not None and line is not None:
            said = f"{name} asks no keyring, and the feed {feed.name} lets nobody in without a password"
            yield problem("no-keyring", said, line)
            return


def _library_client(evidence: Evidence, groups: Sequence[IndexAccount]) -> Iterator[Finding]:
    name, lookups = evidence.options.program, evidence.run.lookups
    if name not in {*LIBRARY_CLIENTS, PDM, PIPENV} or any(each.is_answered for each in lookups):
        return
    if name == PIPENV and not lookups:
        return
    if RUN in evidence.options.words or (name == HATCH and not evidence.options.uploads):
        return
    if groups or (name in LIBRARY_CLIENTS and any("://" in each.url for each in lookups)):
        return
    if not any(evidence.feed_of(each.url) for each in evidence.indexes if each.client in {name, *LOOSE}):
        return
    variable = PASSWORDS.get(name)
    if variable is not None and evidence.user_dirs.environ.get(variable):
        yield problem("own-password", f"{variable} has a password, and {name} took it", f"unset {variable}")
        return
    off = poetry_keyring_off(evidence.directory, evidence.user_dirs) if name == POETRY else None
    if off is not None:
        said = f"{off.shown(evidence.shown)}: {POETRY_OFF}"
        yield problem("poetry-keyring", said, f"export {POETRY_KEYRING}=true")
    yield from _own_places(name, evidence)
    program = _program(evidence)
    found = library_client(name, program) if name in LIBRARY_CLIENTS and program is not None else None
    if found is not None and found.lacks is not None:
        said = f"{name} asked no keyring: {found.environment} lacks {found.lacks}"
        yield problem("backend", said, found.repair)
    elif name == HATCH and evidence.options.uploads and not _has_user(evidence):
        feed = next((evidence.feed_of(each.url) for each in evidence.options.indexes), None)
        user = evidence.username_at(Index.at(HATCH, _place(), ""), feed)
        yield problem(
            "no-username", f"{name} asks no keyring without a user name", f"export {HATCH_USER}={user}"
        )


def _own_places(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Passwords and user names in the files of a client that keep it from asking."""
    for index in evidence.indexes:
        feed = evidence.feed_of(index.url)
        if index.client != name or feed is None:
            continue
        where = f"{index.place.shown(evidence.shown)}: {index.shown}"
        user = evidence.username_at(index, feed)
        named = repairs.with_user(index, user, evidence.options, evidence.user_dirs.environ, editable=True)
        if index.password_in_url:
            yield problem("own-password", f"{where} has a password, and {name} took it", named)
        elif index.password_at is not None:
            said = f"{index.password_at.shown(evidence.shown)} has a password for {index.shown}"
            line = repairs.without_password(index, None, evidence.shown)
            yield problem("own-password", f"{said}, and {name} took it", line)
        elif name == POETRY and index.username is not None:
            line = f'url = "{index.bare}"'
            yield problem("poetry-username", f"{where} has a user name: poetry asks nobody", line)
        elif feed.username not in {None, index.username} and index.username is not None:
            said = f"{where} says {index.shown_username}, and the feed {feed.name} answers {feed.username}"
            yield problem("other-user", said, named)


def _has_user(evidence: Evidence) -> bool:
    words = evidence.options.words
    return bool(evidence.user_dirs.environ.get(HATCH_USER)) or bool({"-u", "--user"} & set(words))


def _program(evidence: Evidence) -> Path | None:
    word = evidence.options.words[0]
    return Path(word) if "/" in word else evidence.user_dirs.program(word)


def _place() -> Place:
    return Place(PLACE)
