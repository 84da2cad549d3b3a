"""What keeps a client from asking for an index of ours: a password or another user of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from broker.ctl.clients.client_index import PIP, UV, Index, Obstacle, Place
from broker.ctl.clients.command_line import options_of
from broker.ctl.clients.pip import KEYS, VARIABLES, pip_version
from broker.ctl.clients.pipfile import PIPENV
from broker.ctl.clients.stored_passwords import host_of
from broker.ctl.clients.usernames import username_for, with_username
from broker.ctl.clients.uv_use import shows_uv
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, problem, warning
from broker.ctl.doctor.pat_news import with_pat_news
from broker.ctl.why import repairs


def indexes_have_no_passwords(context: DoctorContext) -> Iterator[Finding]:
    """No index has a password of its own: every client takes that, however old, and asks nobody."""
    seen: set[tuple[Place, str]] = set()
    for index in indexes_with_passwords(context):
        place = (index.place, index.url)  # two clients may read one line
        if place in seen:
            continue
        seen.add(place)
        said = f"{_at(index, context)} has {Obstacle.PASSWORD}: {index.client} takes that and asks no keyring"
        if Obstacle.TRIED_FIRST in index.obstacles:
            said = f"{_at(index, context)} has {Obstacle.TRIED_FIRST}"
        if index.password_at is not None and not index.password_in_url:
            where = index.password_at.shown(context.user_dirs.shown)
            has = "has a password" if isinstance(index.password_at.source, Path) else "is set"
            said = f"{where} {has}: {index.client} takes it for {index.shown} and asks no keyring"
        said = with_pat_news(said, host_of(index.url), context.clock.now().wall)
        yield problem("index-password", said, without_password(index, context))


def indexes_with_passwords(context: DoctorContext) -> Iterator[Index]:
    """The indexes that are feeds and have a password of their own."""
    own = {Obstacle.PASSWORD, Obstacle.TRIED_FIRST}
    return (index for index, _, _ in _ours(context, context.addresses) if not own.isdisjoint(index.obstacles))


def without_password(index: Index, context: DoctorContext) -> str | None:
    """What to type so that an index of a feed has no password of its own."""
    if index.password_at is not None and not index.password_in_url:
        return repairs.without_password(index, None, context.user_dirs.shown)
    provider, required = context.feed_of(index.url) or ("", None)
    return _line(index, required or index.typed_username or username_for(provider), context)


def indexes_ask_as_the_feeds_user(context: DoctorContext) -> Iterator[Finding]:
    """An index of a feed with a user name of its own names that one."""
    for index, _, required in _ours(context):
        is_told = index.client != PIPENV  # which keeps the user name to itself
        if required is None or index.username in {None, required} or index.has_password or not is_told:
            continue
        said = f"{_at(index, context)} says {index.shown_username}, and the feed answers {required}"
        yield problem("index-user", said, _line(index, required, context))


def uv_may_send_passwords(context: DoctorContext) -> Iterator[Finding]:
    """No index of ours is marked `authenticate = "never"`."""
    for index, _, _ in _ours(context):
        if index.client == UV and Obstacle.NEVER in index.obstacles:
            said = f"{_at(index, context)} has {Obstacle.NEVER}: uv sends no password"
            yield problem("index-never", said, 'authenticate = "always"')


def old_pip_has_usernames(context: DoctorContext) -> Iterator[Finding]:
    """A pip that asks no keyring without a user name has one for each index."""
    version = pip_version(context.user_dirs)
    if version is None:
        return
    for index, provider, required in _ours(context):
        if index.client == PIP and Obstacle.OLD_PIP in index.obstacles:
            who = f"pip {version[0]}.{version[1]} of the active environment"
            said = f"{_at(index, context)} has no user name: {who} asks no keyring without one"
            yield problem("old-pip", said, _line(index, required or username_for(provider), context))


def uv_sees_the_feeds_of_pip(context: DoctorContext) -> Iterator[Finding]:
    """A feed that pip alone is told of is none of uv's, where uv is used: uv reads no pip.conf."""
    shown = shows_uv(context.directory, context.user_dirs)
    if shown is None:
        return
    of_uv = {_bare(index) for index, _, _ in _ours(context) if index.client == UV}
    for index, provider, required in _ours(context):
        is_of_uv = index.client == UV or _bare(index) in of_uv
        if is_of_uv or index.client != PIP or not _is_for_pip_alone(index):
            continue
        extra = "EXTRA" in str(index.place.source) or index.option.startswith("extra")
        said = (
            f"{_at(index, context)} is told to pip alone, and uv is used here: it reads no setting of pip's"
        )
        user = required or username_for(provider)
        line = f"export {'UV_INDEX' if extra else 'UV_DEFAULT_INDEX'}={with_username(index.url, user)}"
        yield warning("pip-only", f"{said} ({context.user_dirs.shown(shown)} shows it)", line)


def _is_for_pip_alone(index: Index) -> bool:
    """True of pip's files and variables; uv reads requirements as well."""
    return index.place.source in VARIABLES or index.option in KEYS


def _ours(
    context: DoctorContext, indexes: Sequence[Index] | None = None
) -> Iterator[tuple[Index, str, str | None]]:
    """Those of the indexes that are feeds, each with provider and required user name.

    Without any, of those that are read from.
    """
    for index in context.indexes if indexes is None else indexes:
        found = context.feed_of(index.url)
        if found is not None:
            yield index, *found


def _line(index: Index, username: str, context: DoctorContext) -> str | None:
    environ = context.user_dirs.environ
    return repairs.with_user(index, username, options_of(("",)), environ, editable=True)


def _at(index: Index, context: DoctorContext) -> str:
    return f"{index.place.shown(context.user_dirs.shown)}: {index.shown}"


def _bare(index: Index) -> str:
    return index.url.rpartition("@")[2].rpartition("://")[2].rstrip("/")
