"""The one line about a command that succeeded, and how many look-ups there were. Pure.

One whose client went on without an index that wanted a login is explained like one that failed.

Nothing is imported here that takes long: a command that works waits for this.
"""

from collections.abc import Sequence

from broker.ctl.clients.client_index import PIP, UV
from broker.ctl.why.account import AccountAct
from broker.ctl.why.recorded_run import Lookup, RecordedRun
from broker.ctl.why.uv_account import LAST_WORD

WANT_A_LOGIN = (401, 403)


def went_on_without_an_index(run: RecordedRun) -> bool:
    """True where an index refused its client in the end: uv tree --outdated, uv tool upgrade, uv publish with
    a check URL and pip with several indexes succeed without it (astral-sh/uv#18120, #16073; run).
    """
    refused = (each for each in run.account.of(AccountAct.REFUSED) if each.status in WANT_A_LOGIN)
    return any(each.client != UV or each.detail == LAST_WORD for each in refused)


def summary(run: RecordedRun) -> str:
    """The one line about a command that succeeded."""
    clients = [client for client in (UV, PIP) if run.account.is_understood(client)]
    sources = sorted(
        {str(each.source) for each in run.account.of(AccountAct.FOUND) if each.source is not None}
    )
    told = [f"{' and '.join(clients)} took passwords from {', '.join(sources)}"] if sources else []
    return "; ".join(["nothing failed", *told, looked_up(run.lookups)])


def looked_up(lookups: Sequence[Lookup]) -> str:
    """How many look-ups there were, and how many of them were answered."""
    if not lookups:
        return "the broker saw no look-up"
    answered = sum(each.is_answered for each in lookups)
    each = "1 look-up" if len(lookups) == 1 else f"{len(lookups)} look-ups"
    return f"the broker saw {each} and answered {answered}"
