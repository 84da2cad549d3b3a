"""What `why` prints about a command that failed. Pure."""

import json
from collections.abc import Iterable, Sequence

from broker.core.urls import may_be_token
from broker.ctl.doctor import screen as doctor_screen
from broker.ctl.doctor.finding import Finding, Level, fine, warning
from broker.ctl.why.account import AccountAct
from broker.ctl.why.index_reports import IndexReport
from broker.ctl.why.recorded_run import RecordedRun
from broker.ctl.why.success_line import looked_up, summary


def findings(reports: Iterable[IndexReport], run: RecordedRun, more: Sequence[Finding]) -> list[Finding]:
    """All that is to be said of a command that failed."""
    found = [each.finding for each in reports] + list(more)
    found = list({(each.said, each.repair): each for each in found}.values())
    if not found or all(each.check == "seen" and each.level is Level.FINE for each in found):
        found.append(_nothing(run))
    return found


def page(found: Sequence[Finding], cells: int | None, gateway: str | None) -> str:
    """The findings for a terminal of so many cells, or for a pipe (None).

    `gateway` is the command that cures all of them, None where there is none such.
    """
    lines = doctor_screen.screen(found, cells).splitlines()
    lines = [line for line in lines if line != doctor_screen.NOTHING]
    return "\n".join(lines if gateway is None else [*lines, f"or: {gateway}"])


def as_json(
    run: RecordedRun, reports: Sequence[IndexReport], found: Sequence[Finding], gateway: str | None
) -> str:
    """All of it as one object in one line."""
    indexes = [
        {
            "url": each.account.url,
            "client": each.account.client,
            "name": (each.account.index.name or None) if each.account.index else None,
            "place": str(each.account.index.place.source) if each.account.index else None,
            "line": each.account.index.place.line if each.account.index else None,
            "asked": each.account.was_asked,
            "username": None if may_be_token(each.account.asked_as or "") else each.account.asked_as,
            "password_from": [
                str(step.source)
                for step in each.account.steps
                if step.act is AccountAct.FOUND and step.source
            ],
            "answered": any(lookup.is_answered for lookup in each.account.lookups),
            "status": each.account.refusal.status if each.account.refusal else None,
            "feed": each.feed,
            "check": each.finding.check,
            "said": each.finding.said,
            "repair": each.finding.repair,
        }
        for each in reports
    ]
    lookups = [
        {"at": each.at, "url": each.url, "feed": each.feed, "outcome": each.outcome, "hint": each.hint}
        for each in run.lookups
    ]
    listed = [
        {"check": each.check, "level": each.level, "said": each.said, "repair": each.repair} for each in found
    ]
    told = {
        "exit_code": run.exit_code,
        "indexes": indexes,
        "lookups": lookups,
        "findings": listed,
        "gateway": gateway,
    }
    return json.dumps(told, ensure_ascii=False)


def _nothing(run: RecordedRun) -> Finding:
    if run.exit_code == 0:
        return fine("succeeded", summary(run))
    if run.account.unknown and not run.account.steps:
        said = f"a client's account is not understood here: it is a newer one; {looked_up(run.lookups)}"
        return warning("unknown-account", said, None)
    if not run.account.steps and not run.lookups:
        return fine("no-client", "no index was heard of, and the broker saw no look-up")
    said = f"no index was heard to refuse: this failure may be about something else; {looked_up(run.lookups)}"
    return fine("not-ours", said)
