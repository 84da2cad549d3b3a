"""Why each index had no answer: one cause, its place, and the line that repairs it.

A cause is named only where the client's account, the broker or the place itself shows it. The rules stand in
the order in which a client decides: what it takes before it asks, whether it asks, who answers, what the feed
says to that.
"""

from collections.abc import Callable

from broker.ctl.clients.client_index import NEVER, PIP, UV, Index, Place
from broker.ctl.clients.command_line import ADDRESS, PLACE, shown_without_secrets
from broker.ctl.clients.keyring_provider import SUBPROCESS
from broker.ctl.clients.pip import ASKS_WITHOUT_USERNAME
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.why import repairs
from broker.ctl.why.account import AccountAct, Source
from broker.ctl.why.evidence import Evidence, same_host
from broker.ctl.why.foreign_index import feed_to_add
from broker.ctl.why.index_account import IndexAccount
from broker.ctl.why.provider_off import library_asked, provider_off

RUNS_THE_PROGRAM = (23, 1)
"""The first pip with `--keyring-provider`. Those before it use the keyring library, if they have it; 23.0
runs the program as well, for an index with a user name and without `--no-input`.
"""

SHIM = "token-broker: "
RUN = "; run: "


def cause_of(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """Why an index that refused its client had no answer; None where nothing shows it."""
    return next(filter(None, (rule(account, evidence) for rule in RULES)), None)


def _own_password(account: IndexAccount, evidence: Evidence) -> Finding | None:
    index = account.index
    if not account.has(AccountAct.FOUND, Source.OWN) or index is None:
        return None
    user = evidence.username_at(index, evidence.feed_of(account.url))
    if index.password_at == Place(PLACE):
        said = f"the command line has a password for {index.shown}: {account.client} took no other"
        line = shown_without_secrets(evidence.options, None if index.username else user)
        return problem("own-password", f"{said}, and the server {account.outcome} to it", line)
    if index.password_at is not None and not index.password_in_url:
        where = index.password_at.shown(evidence.shown)
        said = f"{where} has a password for {index.shown}, and the feed refused it"
        line = repairs.without_password(index, None if index.username else user, evidence.shown)
        return problem("own-password", f"{account.client} took no other: {said}", line)
    if not index.has_password:
        return None
    said = f"{place_of(account, evidence)} has a password, and the server {account.outcome} to it"
    return problem("own-password", said, with_user(index, evidence))


def _netrc(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if not account.has(AccountAct.FOUND, Source.NETRC) or account.has(AccountAct.FOUND, Source.KEYRING):
        return None
    for host, lines, path in evidence.netrc:
        if host in {"default", _host(account)}:
            said = f"{path} has a password for {host}, which {account.client} took, and the feed refused it"
            return problem("netrc", said, f"remove {lines} of {path}")
    return None


def _store(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if not account.has(AccountAct.FOUND, Source.STORE):
        return None
    for entry in evidence.store:
        if same_host(entry.service, account.url):
            said = f"uv's own store has a password for {entry.shown}, which the feed refused"
            return problem("uv-store", said, entry.removal)
    return None


def _locked_elsewhere(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if account.client != UV or account.index is not None:
        return None
    if any(same_host(url, account.url) for url in evidence.locked):
        said = f"uv.lock names {account.url}, which no index here does"
        return problem("lock", said, "uv lock")
    return None


def _no_feed(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if evidence.feed_of(account.url) is not None or any(
        each.feed and "://" in each.url for each in account.lookups
    ):
        return None
    if not (account.was_asked or account.has(AccountAct.SKIPPED) or account.has(AccountAct.PROVIDER)):
        return None
    line = feed_to_add(account, evidence)
    return problem("no-feed", f"{account.url} is no feed of the broker's", line)


def _never(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if account.policy != NEVER or account.index is None or account.index.authenticate != NEVER:
        return None
    said = f'{place_of(account, evidence)} has authenticate = "never": uv sends no password'
    return problem("never", said, 'authenticate = "always"')


def _no_username(account: IndexAccount, evidence: Evidence) -> Finding | None:
    is_old = account.client != UV and _is_old_pip(evidence)
    skipped = account.has(AccountAct.SKIPPED) or (is_old and _has_provider(account) and not account.was_asked)
    index = account.index
    if not skipped or index is None or index.username is not None:
        return None
    version = evidence.run.account.versions.get(account.client)
    who = f"pip {version}" if is_old else account.client
    said = f"{place_of(account, evidence)} has no user name, so {who} did not ask the keyring"
    if is_old and index.option == ADDRESS:  # of which it forgets the user name (pip 23.2.1, run)
        return problem(
            "old-pip",
            f"{said} for what no index has; pip 26.2 does",
            repairs.upgrade_of_pip(evidence.options),
        )
    if index.authenticate == "always":
        said = (
            f"{place_of(account, evidence)} has no user name, so uv did not ask for files outside the index"
        )
    return problem("no-username", said, with_user(index, evidence))


def _no_program(account: IndexAccount, evidence: Evidence) -> Finding | None:
    version = _pip_version(evidence)
    if account.client == UV or not version or version >= RUNS_THE_PROGRAM or account.was_asked:
        return None
    shown = evidence.run.account.versions[PIP]
    said = f"pip {shown} asked no keyring program here; pip 26.2 and later do"
    return problem("old-pip", said, repairs.upgrade_of_pip(evidence.options))


def _hidden_shim(account: IndexAccount, evidence: Evidence) -> Finding | None:
    tried = (
        account.has(AccountAct.NOT_RUN) or account.has(AccountAct.ASKED) or account.has(AccountAct.PROVIDER)
    )
    if account.lookups or not tried or evidence.hidden_shim is None:
        return None
    said, line = evidence.hidden_shim
    if account.has(AccountAct.FOUND, Source.KEYRING):
        told = (
            f"{account.client} took a password from another keyring, and the server {account.outcome} to it"
        )
        return problem("other-keyring", f"{told}: {said}", line)
    return problem(
        "shim", f"{account.client} asked a keyring for {account.url}, not the broker: {said}", line
    )


def _other_user(account: IndexAccount, evidence: Evidence) -> Finding | None:
    feed, index = evidence.feed_of(account.url), account.index
    if (
        feed is None
        or feed.username is None
        or index is None
        or account.has(AccountAct.FOUND, Source.KEYRING)
    ):
        return None
    if index.username in {None, feed.username}:
        return None
    answers = f"the feed {feed.name} answers {feed.username}"
    said = f"{place_of(account, evidence)} says {index.shown_username}, and {answers}"
    return problem("other-user", said, with_user(index, evidence))


def _unanswered(account: IndexAccount, evidence: Evidence) -> Finding | None:
    failed = next((each for each in reversed(account.lookups) if each.outcome == "error"), None)
    if failed is None or account.has(AccountAct.FOUND, Source.KEYRING):
        return None
    feed = next((each for each in evidence.served if each.name == failed.feed), None)
    why = feed.error if feed is not None and feed.error else "the broker could not answer"
    return problem(
        "unanswered",
        f"{failed.feed or account.url}: {why}",
        failed.hint or (None if feed is None else feed.hint),
    )


def _not_running(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if account.lookups or account.has(AccountAct.FOUND, Source.KEYRING):
        return None
    for line in reversed(evidence.run.said.splitlines()):
        _, found, said = line.strip().partition(SHIM)
        if found and RUN in said and same_or_no_host(said, account.url):
            what, _, command = said.rpartition(RUN)
            return problem("shim-said", what, command)
    if evidence.run.status is None and account.has(AccountAct.PROVIDER):
        return problem("not-running", "the broker is not running", "brokerctl start")
    return None


def _refused(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if not account.has(AccountAct.FOUND, Source.KEYRING):
        return None
    if not account.lookups and evidence.hidden_shim is not None:  # another keyring's
        return None
    feed = evidence.feed_of(account.url)
    status = None if feed is None else evidence.status_of(feed)
    name = account.url if feed is None else feed.name
    who = "" if status is None or status.account is None else f" of {status.account}"
    said = f"{name}: to the broker's token{who} the server {account.outcome}"
    if status is not None and status.error:
        return problem("refused", f"{said}: {status.error}", status.hint)
    return problem("refused", said, f"brokerctl explain {account.url}")


Rule = Callable[[IndexAccount, Evidence], Finding | None]

RULES: tuple[Rule, ...] = (
    _locked_elsewhere,
    _own_password,
    _netrc,
    _store,
    _no_feed,
    _never,
    library_asked,
    _refused,
    _other_user,
    _unanswered,
    _no_program,
    provider_off,
    _no_username,
    _hidden_shim,
    _not_running,
)


def same_or_no_host(said: str, url: str) -> bool:
    """True unless the words name another host than the URL's."""
    return "://" not in said or _host_in(url) in said


def with_user(index: Index, evidence: Evidence) -> str | None:
    """The line by which the client knows the feed's user."""
    user = evidence.username_at(index, evidence.feed_of(index.url))
    environ = evidence.user_dirs.environ
    return repairs.with_user(index, user, evidence.options, environ, editable=evidence.is_editable(index))


def place_of(account: IndexAccount, evidence: Evidence) -> str:
    """Where the index stands, and what it is called."""
    index = account.index
    if index is None:
        return account.url
    return f"{index.place.shown(evidence.shown)}: {index.shown if index.name else account.url}"


def _has_provider(account: IndexAccount) -> bool:
    return any(each.act is AccountAct.PROVIDER and each.detail == SUBPROCESS for each in account.steps)


def _is_old_pip(evidence: Evidence) -> bool:
    version = _pip_version(evidence)
    return bool(version) and version < ASKS_WITHOUT_USERNAME


def _pip_version(evidence: Evidence) -> tuple[int, ...]:
    """The first two numbers of the version of the pip that ran; empty where it did not say."""
    version = evidence.run.account.versions.get(PIP, "")
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _host(account: IndexAccount) -> str:
    return _host_in(account.url)


def _host_in(url: str) -> str:
    return url.rpartition("://")[2].partition("/")[0].partition(":")[0]
