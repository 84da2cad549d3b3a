"""A package that an index does not have: one that is no feed, and may be public, or a feed that takes the
broker's token answered 404.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from broker.core.status import FeedStatus
from broker.core.verdict import Verdict
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.why.account import AccountAct, Source
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.foreign_index import proposed_feed
from broker.ctl.why.index_account import IndexAccount
from broker.ctl.why.success_line import looked_up

NOT_THERE = 404

NAMED_MAX = 5
"""So many indexes are named: one line."""


def missing_package(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """What the index has not, and which others were asked; None where a login may be what lacks."""
    refusal = account.refusal or account.open_refusal
    if refusal is None or refusal.status != NOT_THERE:
        return None
    if (feed := evidence.feed_of(account.url)) is not None:
        package = _page_of(refusal.url, account.url)
        if package is None or not _takes_the_token(account, evidence.status_of(feed)):
            return None
        said = f"{account.client}: {feed.name}, which takes the broker's token, answered 404 for {package}"
        return _lacks(package, said, account, evidence)
    # an account without an index, such as the default one's, is of a host alone
    about = account if account.index is not None else replace(account, url=_index_of(refusal.url))
    if about.was_asked or about.has(AccountAct.FOUND) or proposed_feed(about, evidence) is not None:
        return None
    said = f"{account.client}: {about.url}, which is no feed of the broker's, answered 404"
    package = _page_of(refusal.url, about.url)
    if package is None:
        return warning("seen", f"{said} ({looked_up(account.lookups)})", f"check the address {about.url}")
    return _lacks(package, f"{said} for {package} ({looked_up(account.lookups)})", about, evidence)


def _takes_the_token(account: IndexAccount, status: FeedStatus | None) -> bool:
    """True where the client had the broker's token, and the feed's own address takes it."""
    was_given = account.has(AccountAct.FOUND, Source.KEYRING) and bool(account.lookups)
    return was_given and status is not None and status.verdict == Verdict.ACCEPTED.word


def _lacks(package: str, said: str, account: IndexAccount, evidence: Evidence) -> Finding:
    asked = list(dict.fromkeys(_asked_for(package, account.client, evidence)))
    others = f"asked: {', '.join(asked[:NAMED_MAX])}" if len(asked) > 1 else "no other index was asked"
    return warning("seen", said, f"check the name {package}; {others}")


def _index_of(page: str) -> str:
    """The index whose page it is, where its address ends as that of most does; else the page itself."""
    found = re.fullmatch(r"(.+/simple/)[^/]+/?", page)
    return page if found is None else found[1]


def _page_of(url: str, index: str) -> str | None:
    """The project whose page it is (`/<project>/` below the index, PEP 503); None for anything else."""
    base = index.rstrip("/") + "/"
    page = url.removeprefix(base).rstrip("/") if url.startswith(base) else ""
    return page if page and "/" not in page else None


def _asked_for(package: str, client: str, evidence: Evidence) -> Iterator[str]:
    """The indexes whose page of the package the client went to."""
    acts = AccountAct.REQUESTED, AccountAct.REFUSED, AccountAct.ACCEPTED
    for step in evidence.run.account.of(*acts):
        index, _, page = step.url.rstrip("/").rpartition("/")
        if step.client == client and page == package:
            yield f"{index}/"
