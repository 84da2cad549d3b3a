"""The indexes that a command's clients would ask about: as whom uv asks, and whether anything was asked."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from broker.ctl import api_client
from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import UV, Index
from broker.ctl.clients.command_line import indexes_in, options_of, shown_command
from broker.ctl.clients.inline_script import script_indexes
from broker.ctl.clients.usernames import username_for
from broker.ctl.clients.uv import indexes_to_name_a_user_for, uv_indexes
from broker.ctl.clients.uv_elsewhere import uv_indexes_elsewhere
from broker.ctl.command_error import CommandError
from broker.ctl.exec.private_broker import PrivateBroker
from broker.ctl.setup.user_dirs import UserDirs

MATCHED_MAX = 32
"""Indexes that the broker is asked about after a failure: more are of no one command."""


def index_variables(
    broker: PrivateBroker, environ: Mapping[str, str], command: Sequence[str] = ()
) -> dict[str, str]:
    """UV_INDEX_<NAME>_USERNAME for each index that is a feed: of this folder and of the command's words.

    Raises CommandError if none can be known.
    """
    fault = broker.read("/v1/status").get("error")
    if fault is not None:
        raise CommandError(str(fault))
    variables: dict[str, str] = {}
    user_dirs = UserDirs(Path.home(), environ)
    indexes = chain(
        _of_command(command, environ),
        uv_indexes(Path.cwd(), user_dirs),
        uv_indexes_elsewhere(Path.cwd(), user_dirs),
    )
    for index in indexes_to_name_a_user_for(indexes, environ):
        found = _feed_of(broker, index)
        if found is not None:
            variables[index.variable] = username_for(str(found["provider"]), found.get("username"))
    return variables


def lookups_counted(
    broker: PrivateBroker, environ: Mapping[str, str], command: Sequence[str]
) -> Iterator[str]:
    """After a command that failed: how many look-ups there were, or that there was none though an index is a
    feed.
    """
    try:
        counts = broker.read("/v1/status").get("lookups", {})
        if any(counts.values()):
            answered = sum(counts.get(outcome, 0) for outcome in ("hit", "wait"))
            yield f"{_counted(sum(counts.values()))}, {answered} answered"
            return
        user_dirs = UserDirs(Path.home(), environ)
        found = chain(_of_command(command, environ), all_indexes(Path.cwd(), user_dirs))
        for index in islice((each for each in found if each.is_remote), MATCHED_MAX):
            if _feed_of(broker, index) is not None:
                place = index.place.shown(user_dirs.shown)
                hint = f"brokerctl why -- {shown_command(command)}"
                yield f"no look-up, though {place} names a feed; run: {hint}"
                return
    except CommandError:
        return


def _counted(number: int) -> str:
    return "1 look-up" if number == 1 else f"{number} look-ups"


def _of_command(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Index]:
    options = options_of(command or ("",))
    yield from indexes_in(options, UV, is_on=True)
    for script in options.scripts:
        yield from script_indexes(Path(script), environ)


def _feed_of(broker: PrivateBroker, index: Index) -> api_client.Json | None:
    with contextlib.suppress(CommandError):  # no feed of ours
        return broker.read("/v1/match", {"url": index.url})
    return None
