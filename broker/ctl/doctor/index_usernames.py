"""Indexes that uv or pip would not ask a keyring about, though they are feeds of ours."""

from collections.abc import Iterator

from broker.ctl.clients.client_index import PIP, UV, Obstacle
from broker.ctl.clients.command_line import options_of
from broker.ctl.clients.environment_tools import PIXI
from broker.ctl.clients.usernames import username_for, with_username
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.why import repairs
from broker.providers.recognise.kinds import ANSWER_STRANGERS, AZURE, GITLAB, GOOGLE

FILES_ELSEWHERE = {AZURE: "under ids", GITLAB: "under the project's number", GOOGLE: "outside simple/"}
"""Providers whose pages link to files outside the index's own URL, and where those are."""


def indexes_have_usernames(context: DoctorContext) -> Iterator[Finding]:
    """Every index that is a feed has a user name, or at least makes uv ask always."""
    ours = 0
    for index in context.indexes:
        found = context.feed_of(index.url)
        if index.client not in {UV, PIXI} or found is None or Obstacle.NEVER in index.obstacles:
            continue
        ours += 1
        provider, required = found
        place = f"{index.place.shown(context.user_dirs.shown)}: {index.shown}"
        for obstacle in index.obstacles:
            line: str | None = f'url = "{with_username(index.url, username_for(provider, required))}"'
            if index.option != "url":
                user = username_for(provider, required)
                line = repairs.with_user(index, user, options_of(("",)), {}, editable=True)
            if obstacle in {Obstacle.NO_USERNAME, Obstacle.LONE_PASSWORD}:
                said = f"{place} has {obstacle}: {index.client} will never ask"
                yield problem("index-username", said, line)
            elif obstacle is Obstacle.PAGES_ONLY and provider in FILES_ELSEWHERE:
                where = FILES_ELSEWHERE[provider]
                said = f"{place} has no user name, and its files are {where}"
                yield problem("index-files", f"{said}: uv sync from a lock fails with 401", line)
    if ours:
        yield fine("indexes", f"{ours} of the project's indexes {'is' if ours == 1 else 'are'} ours")


def pip_sees_what_the_user_may(context: DoctorContext) -> Iterator[Finding]:
    """A server that also answers without a password must be told who asks: pip gives a password only after a
    401.
    """
    for index in context.indexes:
        found = context.feed_of(index.url)
        if index.client != PIP or found is None or index.username is not None:
            continue
        provider, required = found
        if provider in ANSWER_STRANGERS:
            said = (
                f"{index.place.shown(context.user_dirs.shown)}: pip shows no user name to {provider}, "
                "which may answer strangers with fewer versions"
            )
            yield warning("pip-username", said, with_username(index.url, username_for(provider, required)))
