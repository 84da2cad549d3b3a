"""Addresses that are of a kind of feed and no feed yet: the line that adds each."""

import shlex
from collections.abc import Iterator

from broker.core.feeds import NO_FEED
from broker.core.status import addresses_to_add
from broker.core.urls import path_token, printable, urls_of
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, problem
from broker.providers.recognise.services import looks_like_feed


def addresses_are_feeds(context: DoctorContext) -> Iterator[Finding]:
    """What clients asked for lately, and what they would read from here, is a feed if it looks like one."""
    status = context.broker.status
    lines = {} if status is None else {url: each.hint for url, each in addresses_to_add(status).items()}
    for index in context.indexes:
        for url in urls_of([index.url]):
            shown = printable(index.url)  # None where a password may be a part of it
            if shown is None or path_token(url) is not None:
                continue
            if looks_like_feed(url) and context.feed_of(index.url) is None:
                lines.setdefault(shown, shlex.join(("brokerctl", "add", shown)))
    for address, line in lines.items():
        yield problem("unknown-feed", f"{address}: {NO_FEED}", line)
