"""Feeds, asked now: whether each takes the token that the daemon holds for it, and the one of this shell."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from broker.core.failures import ADD_TO, LOOK_ROUND
from broker.core.status import FeedStatus
from broker.core.verdict import Verdict
from broker.ctl import user_files
from broker.ctl.api_client import FETCH_PATIENCE_S, asked_feed, read
from broker.ctl.command_error import CommandError
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.exec.private_broker import private_broker
from broker.ctl.status.record import feed_status

ACCEPTED, REJECTED = Verdict.ACCEPTED.word, Verdict.UNAUTHORISED.word

NAMED_MAX = 5


def feeds_take_the_tokens(context: DoctorContext) -> Iterator[Finding]:
    """Each feed in use takes its token; where one does not, this shell may have a better."""
    told = context.asked
    failing = [feed for feed in told if feed.needs_help or feed.verdict == REJECTED]
    for feed in told:
        if feed.error is not None and feed not in failing:
            yield warning("sign-in", f"{feed.name}: {feed.error}; its token lives on", _next(feed))
        elif feed.unverified is not None and feed not in failing and feed.urls:
            yield warning("feeds", f"{feed.name}: {feed.unverified}", _step_by_step(feed))
    here = _outcomes_here(context, failing) if failing else {}
    for feed in failing:
        if is_better(here.get(feed.name), feed):
            said = f"{feed.name}: the sign-in works in this shell but not in the service ({feed.error})"
            is_for_a_file = feed.hint is not None and feed.hint.startswith(ADD_TO)  # `setup` copies no secret
            yield problem("sign-in", said, feed.hint if is_for_a_file else "brokerctl setup")
        else:
            yield problem("sign-in", f"{feed.name}: {feed.error or feed.state}", _next(feed))
    taken = [
        feed.name
        for feed in told
        if feed not in failing and feed.verdict == ACCEPTED and feed.unverified is None
    ]
    if taken:
        shown = ", ".join(taken[:NAMED_MAX]) + (" and others" if len(taken) > NAMED_MAX else "")
        yield fine("feeds", f"the feed takes the token: {shown}")
    yield from _of_the_system_broker(context)


def _of_the_system_broker(context: DoctorContext) -> Iterator[Finding]:
    """What that broker last heard: a user may not have it ask."""
    status = context.system.status
    for feed in status.feeds if status is not None else ():
        if feed.needs_help or feed.verdict == REJECTED:
            yield problem(
                "system-broker", f"the system broker: {feed.name}: {feed.error or feed.state}", _next(feed)
            )


def _next(feed: FeedStatus) -> str | None:
    """The feed's hint; where that is the doctor itself, the command that repeats what failed, step by step.

    The log would only say the same line again.
    """
    return _step_by_step(feed) if feed.hint == LOOK_ROUND and feed.urls else feed.hint


def _step_by_step(feed: FeedStatus) -> str:
    return f"brokerctl explain {quote(feed.urls[0])}"


def is_better(here: FeedStatus | None, service: FeedStatus) -> bool:
    """True where this shell's sign-in was tried and does what the service's does not.

    A feed that did not answer here either proves a sign-in, and nothing of the feed.
    """
    if here is None or not here.usable:
        return False
    return here.verdict == ACCEPTED or REJECTED not in {here.verdict, service.verdict}


def _outcomes_here(context: DoctorContext, feeds: Sequence[FeedStatus]) -> dict[str, FeedStatus]:
    """How the feeds are at a broker with this shell's environment: without env.toml, that is."""
    outcomes: dict[str, FeedStatus] = {}
    with tempfile.TemporaryDirectory(prefix="token-broker-") as folder:
        config = Path(folder, "config.toml")
        config.touch(mode=0o600)
        config.write_bytes(user_files.content_of(context.user_dirs.configuration.user) or b"")
        try:
            with private_broker() as broker, broker.serving(config):
                for feed in feeds:
                    outcome = _outcome(feed, broker.socket)
                    if outcome is not None:
                        outcomes[feed.name] = outcome
        except (CommandError, OSError):
            return outcomes
    return outcomes


def _outcome(feed: FeedStatus, socket: str) -> FeedStatus | None:
    """How the feed is there, under another name where it was learned; None where there is none such."""
    name = feed.name
    try:
        if not feed.configured:
            query = {"url": feed.urls[0]}
            name = str(read("/v1/credential", query, patience_s=FETCH_PATIENCE_S, socket=socket)["feed"])
        return feed_status(asked_feed(name, socket=socket))
    except (CommandError, IndexError, KeyError):
        return None
