"""What is said of each index that a command's clients went to, the one that it is about first."""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.ctl.clients.client_index import NEVER
from broker.ctl.doctor.finding import Finding, Level, fine, warning
from broker.ctl.why.account import AccountAct
from broker.ctl.why.diagnosis import cause_of, place_of, with_user
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import IndexAccount
from broker.ctl.why.missing_package import NOT_THERE, missing_package
from broker.ctl.why.success_line import looked_up
from broker.ctl.why.unreached import unreached
from broker.providers.recognise.kinds import ANSWER_STRANGERS

OF_A_LOGIN = (None, 401, 403, NOT_THERE)
"""Refusals that a login may cure; None: no request was sent."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """One index, what happened to it, and what was found."""

    account: IndexAccount
    feed: str | None
    finding: Finding


def reports_of(accounts: Sequence[IndexAccount], evidence: Evidence) -> list[IndexReport]:
    """What is to be said of a command that failed.

    uv looks into an index, too, before it publishes to it, and publishes whatever that says: it is no cause
    where the upload itself was refused.
    """
    reports = [report_of(each, evidence) for each in accounts]
    uploads = [each for each in reports if each.account.is_upload]
    if any(each.finding.level is Level.PROBLEM for each in uploads):
        return uploads
    return [*uploads, *(each for each in reports if not each.account.is_upload)]


def report_of(account: IndexAccount, evidence: Evidence) -> IndexReport:
    """What is to be said of one index of a command that failed."""
    feed = evidence.feed_of(account.url)
    found = None
    if (missing := missing_package(account, evidence)) is not None:
        found = missing
    elif account.refusal is not None:
        found = cause_of(account, evidence)
    elif (away := unreached(account, evidence)) is not None:
        found = away
    elif _is_read_as_stranger(account, evidence):
        found = _stranger(account, evidence)
    return IndexReport(account, None if feed is None else feed.name, found or _as_seen(account))


def _as_seen(account: IndexAccount) -> Finding:
    """Without a cause: what happened, and no guess."""
    heard = looked_up(account.lookups)
    if account.open_refusal is not None:
        said = f"{account.client}: {account.url} answered {account.open_refusal.status} at first"
        return warning("seen", f"{said}, and it is not heard how that ended ({heard})", None)
    if account.refusal is None:
        return fine("seen", f"{account.client}: {account.url} is not heard to have refused ({heard})")
    said = f"{account.client}: {account.url} {account.outcome}; {heard}"
    is_login = "://" in account.url and account.refusal.status in OF_A_LOGIN
    return warning("seen", said, f"brokerctl explain {account.url}" if is_login else None)


def _is_read_as_stranger(account: IndexAccount, evidence: Evidence) -> bool:
    feed, index = evidence.feed_of(account.url), account.index
    if feed is None or index is None or index.username is not None or account.was_asked:
        return False
    if index.authenticate == NEVER:
        return False
    known = account.has(AccountAct.REQUESTED) and not any(each.source for each in account.steps)
    return (
        known and feed.realm.provider in {*ANSWER_STRANGERS, "basic"} and not account.has(AccountAct.SKIPPED)
    )


def _stranger(account: IndexAccount, evidence: Evidence) -> Finding | None:
    if account.index is None:
        return None
    place = place_of(account, evidence)
    said = f"{place} has no user name: a server that answers strangers may hide packages of it"
    return warning("stranger", said, with_user(account.index, evidence))
