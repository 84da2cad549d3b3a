"""The indexes that a command's clients would ask about: as whom uv asks, and whether anything was asked."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, islice
from pathlib import Path

from broker.core.one_line import one_line
from broker.ctl import api_client
from broker.ctl.clients.client_index import UV, Index
from broker.ctl.clients.command_files import dirs_of, folder_of, indexes_of_named_files
from broker.ctl.clients.command_line import (
    CommandOptions,
    indexes_in,
    obstacles_of,
    options_of,
    shown_command,
)
from broker.ctl.clients.required_username import required_by
from broker.ctl.clients.time_limit import TooSlowError, at_most
from broker.ctl.clients.usernames import CONVENTIONS, username_for
from broker.ctl.clients.uv import indexes_to_name_a_user_for, uv_indexes
from broker.ctl.clients.uv_elsewhere import uv_indexes_elsewhere, uv_settings_elsewhere
from broker.ctl.clients.uv_files import uv_settings
from broker.ctl.command_error import CommandError
from broker.ctl.exec.private_broker import PrivateBroker
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.standard_streams import tell
from broker.host.whereabouts import home_of, working_directory

SETTINGS_S = 5.0
"""For all settings of a project and its user: they are read in a few ms."""

MATCHED_MAX = 32
"""Indexes that the broker is asked about after a failure: more are of no one command."""


def index_variables(
    broker: PrivateBroker, environ: Mapping[str, str], command: Sequence[str] = ()
) -> dict[str, str]:
    """UV_INDEX_<NAME>_USERNAME for each index that is a feed: of this folder and of the command's words.

    The broker is asked, and so waited for, only where there are such indexes. One that cannot answer knows
    no feed.
    """
    user_dirs = UserDirs(home_of(environ), environ)

    def found() -> Iterator[Index]:
        options, directory, told = _of_command(command, user_dirs)
        _tell_of_failures(directory, told)
        indexes = chain(
            _named_by(options, directory, environ),
            uv_indexes(directory, told),
            uv_indexes_elsewhere(directory, told),
        )
        return indexes_to_name_a_user_for(indexes, environ)

    @cache
    def required() -> Callable[[str], str | None]:
        return _required_by_files(user_dirs)

    variables: dict[str, str] = {}
    for index in _read(found):
        feed = _feed_of(broker, index)
        if feed is not None:
            variables[index.variable] = _username_for(feed, required)
    return variables


def _username_for(feed: api_client.Json, required: Callable[[], Callable[[str], str | None]]) -> str:
    """The one that the feed answers. The broker knows the name that a secret comes with, as in netrc, only
    once it has fetched that: until then the file says it.
    """
    provider, username = str(feed["provider"]), feed.get("username")
    if username is None and feed.get("configured") and provider not in CONVENTIONS:
        username = required()(feed["feed"])
    return username_for(provider, username)


def _required_by_files(user_dirs: UserDirs) -> Callable[[str], str | None]:
    """The user name that a configured feed requires, by the feed's name. Reads the configuration once."""
    from broker.ctl.config_view import configured  # noqa: PLC0415 - pydantic, for such feeds only

    feeds = {each.name: each for each in configured(user_dirs).config.feeds}
    of_feed = required_by(user_dirs)
    return lambda name: of_feed(feeds[name]) if name in feeds else None


def lookups_counted(
    broker: PrivateBroker, environ: Mapping[str, str], command: Sequence[str], *, is_new: bool
) -> Iterator[str]:
    """After a command that failed: how many look-ups there were, or that there was none though an index is a
    feed. A broker that `is_new` has answered nobody yet: it is waited for only where there is an index.
    """
    user_dirs = UserDirs(home_of(environ), environ)

    from broker.ctl.clients.all_indexes import all_indexes  # noqa: PLC0415 - after a failure only

    def found() -> Iterator[Index]:
        options, directory, told = _of_command(command, user_dirs)
        indexes = chain(_named_by(options, directory, environ), all_indexes(directory, told))
        return islice((each for each in indexes if each.is_remote), MATCHED_MAX)

    indexes = cache(lambda: _read(found))
    if is_new and not indexes():
        return
    try:
        counts = broker.read("/v1/status").get("lookups", {})
        if any(counts.values()):
            answered = sum(counts.get(outcome, 0) for outcome in ("hit", "wait"))
            yield f"{_counted(sum(counts.values()))}, {answered} answered"
            return
        for index in indexes():
            if _feed_of(broker, index) is not None:
                place = index.place.shown(user_dirs.shown)
                hint = f"brokerctl why -- {shown_command(command)}"
                yield f"no look-up, though {place} names a feed; run: {hint}"
                return
    except CommandError:
        return


def _read(indexes: Callable[[], Iterator[Index]]) -> Sequence[Index]:
    """What files name. Whatever stands in them costs a line at most: the command must run."""
    try:
        with at_most(SETTINGS_S):
            return list(indexes())
    except TooSlowError:
        why = f"they take longer than {SETTINGS_S:.0f} s to read"
    except OSError as error:  # a working directory that is gone
        why = (error.strerror or "unknown error").lower()
    except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the command from running
        why = type(error).__name__
    tell(f"token-broker: the project's settings are passed over: {why}")
    return ()


def _tell_of_failures(directory: Path, user_dirs: UserDirs) -> None:
    """One line about the first of uv's files that cannot be read."""
    for each in chain(uv_settings(directory, user_dirs), uv_settings_elsewhere(directory, user_dirs)):
        if each.file.failure is not None:
            tell(one_line(f"token-broker: {each.file.path} is passed over: {each.file.failure}"))
            return


def _counted(number: int) -> str:
    return "1 look-up" if number == 1 else f"{number} look-ups"


def _of_command(command: Sequence[str], user_dirs: UserDirs) -> tuple[CommandOptions, Path, UserDirs]:
    """What its words say, the folder that its client works in, and the user's folders as it sees them."""
    options, current = options_of(command or ("",)), working_directory()
    return options, folder_of(options, current), dirs_of(options, current, user_dirs)


def _named_by(options: CommandOptions, directory: Path, environ: Mapping[str, str]) -> Iterator[Index]:
    """The indexes of the words themselves, and of the files that they name."""
    yield from indexes_in(options, UV, environ, is_on=True)
    for index in indexes_of_named_files(options, directory, environ):
        yield replace(index, obstacles=obstacles_of(index, is_on=True))


def _feed_of(broker: PrivateBroker, index: Index) -> api_client.Json | None:
    with contextlib.suppress(CommandError):  # no feed of ours, or no broker
        return broker.read("/v1/match", {"url": index.url})
    return None
