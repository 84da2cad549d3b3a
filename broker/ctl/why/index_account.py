"""The account of a run, sorted by the index that each step was about. Pure but for what `Evidence` reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broker.core.failures import BadRequest
from broker.ctl.clients.client_index import PIP, UV, Index
from broker.ctl.why.account import AccountAct, AccountStep, Source
from broker.ctl.why.evidence import Evidence, is_below, same_host
from broker.ctl.why.recorded_run import Lookup
from broker.ctl.why.uv_account import LAST_WORD

CLIENTS = (UV, PIP)


@dataclass
class IndexAccount:
    """What one client said of one index; `index` is None for an address that no file or variable names."""

    client: str
    url: str
    index: Index | None
    steps: list[AccountStep] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)

    def has(self, act: AccountAct, source: Source | None = None) -> bool:
        """True when the client told of this."""
        return any(each.act is act and source in {None, each.source} for each in self.steps)

    @property
    def is_upload(self) -> bool:
        """True of an address that is published to."""
        return self.index is not None and self.index.publishes

    @property
    def addresses(self) -> set[str]:
        """Its own; where no index has it, those that were asked for."""
        whole = {each.url for each in self.steps if "://" in each.url}
        return {self.url} if self.index is not None else whole

    @property
    def refusal(self) -> AccountStep | None:
        """How the server refused the index, or a file of it, in the end; None where it did not.

        uv is first refused without a password, as a matter of course: what counts is its last word.
        """
        last = [each for each in self.steps if each.act is AccountAct.REFUSED]
        if self.client == UV:
            last = [each for each in last if each.detail == LAST_WORD]
        return last[-1] if last else None

    @property
    def why_unreached(self) -> str | None:
        """Why no answer came from it, in the client's last words about that; None where one came."""
        told = [each.detail for each in self.steps if each.act is AccountAct.UNREACHED]
        return told[-1] if told else None

    @property
    def outcome(self) -> str:
        """The refusal as a sentence has it."""
        refusal = self.refusal
        if refusal is None:
            return "is not heard to have refused"
        return "was not sent a request" if refusal.status is None else f"answered {refusal.status}"

    @property
    def open_refusal(self) -> AccountStep | None:
        """The first refusal where uv's account does not say how that ended; None where it does.

        Such an account is one of a uv whose words are not known.
        """
        first = next((each for each in self.steps if each.act is AccountAct.REFUSED), None)
        return None if self.has(AccountAct.ACCEPTED) or self.refusal is not None else first

    @property
    def policy(self) -> str:
        """The authentication policy that uv has for the index."""
        return next(
            (each.detail for each in self.steps if each.act is AccountAct.REQUESTED and each.detail), ""
        )

    @property
    def was_asked(self) -> bool:
        """True when the client asked the keyring, or the broker saw that something did."""
        return self.has(AccountAct.ASKED) or self.has(AccountAct.FOUND, Source.KEYRING) or bool(self.lookups)

    @property
    def asked_as(self) -> str | None:
        """The user name that the keyring was asked for."""
        return next(
            (each.username for each in self.steps if each.act is AccountAct.ASKED and each.username), None
        )


def by_index(evidence: Evidence) -> list[IndexAccount]:
    """The indexes that the command's clients went to, each with what was said of it."""
    found: list[IndexAccount] = []
    for client in CLIENTS:
        steps = [each for each in evidence.run.account.steps if each.client == client]
        indexes = list(_distinct(each for each in evidence.indexes if each.client == client))
        groups: dict[str, IndexAccount] = {}
        general: list[AccountStep] = []
        for step in steps:
            if not step.url:
                general.append(step)
                continue
            for index, url in _homes(step.url, indexes, evidence):
                groups.setdefault(url, IndexAccount(client, url, index)).steps.append(step)
        for group in groups.values():
            group.steps += general
            group.lookups = [each for each in evidence.run.lookups if _concerns(each, group, evidence)]
        found += groups.values()
    return found


def unclaimed(evidence: Evidence, groups: Sequence[IndexAccount]) -> list[Lookup]:
    """The look-ups that belong to none of these."""
    claimed = {id(each) for group in groups for each in group.lookups}
    return [each for each in evidence.run.lookups if id(each) not in claimed]


def _distinct(indexes: Iterator[Index]) -> Iterator[Index]:
    """The strongest of those with one URL."""
    seen: set[str] = set()
    for index in indexes:
        url = bare_of(index)
        if url and url.rstrip("/") not in seen:
            seen.add(url.rstrip("/"))
            yield index


def _homes(url: str, indexes: Sequence[Index], evidence: Evidence) -> list[tuple[Index | None, str]]:
    """The index that a step's URL belongs to; of a host alone, all of the host."""
    if "://" not in url:
        return [(each, bare_of(each)) for each in indexes if same_host(bare_of(each), url)] or [(None, url)]
    below = [each for each in indexes if is_below(url, bare_of(each))]
    if below:
        nearest = max(below, key=lambda each: len(bare_of(each)))
        return [(nearest, bare_of(nearest))]
    beside = [each for each in indexes if same_host(url, bare_of(each))]
    feed = evidence.feed_of(url)
    same = [each for each in beside if feed is not None and evidence.feed_of(bare_of(each)) is feed]
    index = next(iter((*same, *beside)), None)
    if index is not None:
        return [(index, bare_of(index))]
    if feed is not None:
        return [(None, str(feed.prefixes[0]))]
    scheme, _, rest = url.partition("://")
    return [(None, f"{scheme}://{rest.partition('/')[0]}/")]


def _concerns(lookup: Lookup, group: IndexAccount, evidence: Evidence) -> bool:
    if not same_host(lookup.url, group.url):
        return False
    if "://" not in lookup.url or is_below(lookup.url, group.url):
        return True
    feed = evidence.feed_of(group.url)
    return feed is not None and feed.name == lookup.feed


def bare_of(index: Index) -> str:
    """The index's URL without userinfo; empty where that has no clear end."""
    try:
        return index.bare
    except BadRequest:
        return ""
