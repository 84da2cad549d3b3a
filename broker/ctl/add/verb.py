"""`brokerctl add` and `remove`: feeds in the user's configuration file, then in the running broker."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.config.paths import SYSTEM
from broker.core.secret_source import FORMS, parse
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.setup.sandbox_refresh import renew_sandbox

if TYPE_CHECKING:
    from collections.abc import Collection

    from broker.core.urls import Url
    from broker.ctl.add.config_file import ConfigFile

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECRET_KEYS = {"secret", "password", "pat"}
_TEXT_KEYS = {"owner"}
"""Text that may be digits alone: an AWS account's number."""

ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Another file than your own configuration.")
]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A feed's address as typed, taken apart: no userinfo goes into the file."""

    url: "Url"
    username: str | None


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The feed's URL, as uv or pip would get it.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Further keys of the feed, in TOML.")
    ] = None,
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; by default made from the URL.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="PROVIDER", help="Its kind, such as basic; by default from the URL.")
    ] = None,
    username: Annotated[
        str | None, typer.Option(metavar="NAME", help="The user name that the server wants.")
    ] = None,
    secret: Annotated[str | None, typer.Option(metavar="PLACE", help=f"Where the secret is: {FORMS}")] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="The tenant to sign in to (Azure).")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="One more URL prefix; may be repeated.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Add a feed to the configuration.

    A running broker takes it at once; one that refuses it leaves the file as it was. What the feed must have
    and its URL does not say is asked for on a terminal; elsewhere the whole line to type is told.

    An index that answers without a credential needs no feed: that is said, and nothing is written.
    """
    from broker.ctl.add.config_file import ConfigFile  # noqa: PLC0415 - the same
    from broker.ctl.add.feed_tables import with_feed  # noqa: PLC0415 - the same
    from broker.ctl.add.prompts import completed  # noqa: PLC0415 - what only this verb needs
    from broker.ctl.add.workable_feed import RefusedKeyError, check_feed  # noqa: PLC0415 - the same
    from broker.ctl.config_view import config_with  # noqa: PLC0415 - the same
    from broker.ctl.ui.next_steps import next_steps  # noqa: PLC0415 - the same

    if secret is not None:
        _check_source(secret)
    wanted = _address(url)
    keys: dict[str, Any] = {
        "name": name,
        "url": str(wanted.url),
        "also": also,
        "provider": provider,
        "username": username,
        "secret": secret,
        "tenant": tenant,
        **dict(_setting(setting) for setting in settings or []),
    }
    name = keys["name"]  # by either spelling
    file = ConfigFile.of_user(config)
    keys["name"] = _accepted_name(file.read() or "", file, wanted.url, name)
    found = completed(wanted.url, keys, wanted.username, config)  # may ask a person, who may take a while
    while True:
        keys = found.keys
        try:
            with file.alone():
                before = file.read()
                keys["name"] = _accepted_name(before or "", file, wanted.url, name)
                after = with_feed(before or "", {key: keys[key] for key in keys if keys[key] is not None})
                lines = len((before or "").splitlines())
                check_feed(after, file.paths, file.shown, keys, lines=lines, config=config)
                known = config_with(after, file.paths, file.shown)
                added = next(feed for feed in known.feeds if feed.name == keys["name"])
                outcome = _change(file, before, after)
            break
        except RefusedKeyError as refused:
            found = found.corrected(refused)
    typer.echo(f"added {added.name} to {file.shown}; {outcome}")
    renewed = renew_sandbox()
    if renewed is not None:
        typer.echo(renewed)
    typer.echo(next_steps(added, keys))


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The feed.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Take a feed out of the configuration.

    A running broker forgets it, and its token, at once.
    """
    from broker.ctl.add.config_file import ConfigFile  # noqa: PLC0415 - what only these two verbs need
    from broker.ctl.add.feed_tables import without_feed  # noqa: PLC0415 - the same
    from broker.ctl.config_view import names_in  # noqa: PLC0415 - the same

    api_client.check_feed_name(name)
    file = ConfigFile.of_user(config)
    with file.alone():
        before = file.read()
        names = names_in(before or "", file.shown)
        if before is None or name not in names:
            raise CommandError(f"there is no feed called {name} in {file.shown}", hint="brokerctl status")
        after = without_feed(before, names.index(name))
        outcome = _change(file, before, after)
    typer.echo(f"removed {name} from {file.shown}; {outcome}")


def _address(text: str) -> _Wanted:
    """The URL without userinfo; raises CommandError for what is no URL, and for one that holds a password."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only this verb takes URLs apart

    from broker.core.failures import BadRequest  # noqa: PLC0415 - the same
    from broker.core.urls import may_be_token, parse_url, printable  # noqa: PLC0415 - the same

    try:
        url = parse_url(text)
        split = urlsplit(text)
    except (BadRequest, ValueError) as error:
        detail = error.detail if isinstance(error, BadRequest) else "the URL is not one"
        raise CommandError(detail, exit_code=ExitCode.USAGE) from None
    if printable(text) is None:
        raise CommandError(
            "the URL's user name or password has a character that must be encoded: leave them out",
            exit_code=ExitCode.USAGE,
        )
    if split.password is not None:
        raise CommandError(
            f"the URL holds a password: leave it out and say with --secret where it is: {FORMS}"
        )
    username = unquote(split.username or "")
    return _Wanted(url, None if not username or may_be_token(username) else username)


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE as key and value: TOML where it is TOML, else text."""
    key, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise CommandError(f"{key} is no KEY=VALUE", exit_code=ExitCode.USAGE)
    if key == "secret":
        _check_source(value)
    elif key in _SECRET_KEYS:
        raise CommandError(f"a secret is never written in the configuration, only where it is: {FORMS}")
    if key in _TEXT_KEYS:
        return key, value.strip("\"'")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key, value
    return key, parsed["value"] if set(parsed) == {"value"} else value


def _check_source(text: str) -> None:
    """Raise CommandError for what is no place of a secret, without repeating it: it may be the secret."""
    try:
        parse(text)
    except ValueError as error:
        wrong = str(error)
        raise CommandError(wrong if FORMS in wrong else f"{wrong}; a secret is one of {FORMS}") from None


def _accepted_name(text: str, file: "ConfigFile", url: "Url", name: str | None) -> str:
    """The name, or a free one made from the URL. Raises CommandError for a feed that the file has already."""
    from broker.ctl.config_view import config_with, names_in  # noqa: PLC0415 - pydantic, 100 ms

    known, own = config_with(text, file.paths, file.shown), names_in(text, file.shown)
    for feed in known.feeds:
        if feed.name not in own:
            continue  # the site's, whose place a feed of the user's may take
        if url in (feed.url, *feed.also):
            raise CommandError(
                f"{url} is configured already, as {feed.name} ({feed.place}); change it there, or "
                f"add it again after: brokerctl remove {feed.name}"
            )
        if feed.name == name:
            raise CommandError(
                f"a feed called {name} is configured already ({feed.place}): choose another --name"
            )
    return name or _free_name({*own, *(feed.name for feed in known.feeds if feed.url != url)}, url)


def _free_name(taken: "Collection[str]", url: "Url") -> str:
    from broker.providers.recognise.feed_name import default_name  # noqa: PLC0415 - only this verb asks

    name = default_name(url)
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbered) if free not in taken)


def _change(file: "ConfigFile", before: str | None, after: str) -> str:
    """Write the file, let a running broker that has it read it, and say which broker reads it.

    Put back when that broker refuses it.
    """
    others = _file_of_running_broker(file)
    file.write(after)
    if file.path == SYSTEM:
        return "the system broker reads it within half a minute"
    if others is not None:
        return f"the running broker reads {others}, not this file"
    try:
        api_client.order("/v1/reload")
    except api_client.BrokerNotRunningError:
        if file.is_read_with():
            return "the broker is not running and will read it when it starts"
        return "no broker reads it unless --config or TOKEN_BROKER_CONFIG names it"
    except CommandError as failure:
        file.write(before)
        raise CommandError(f"{failure.detail} (the file is as it was)", hint=failure.hint) from None
    except BaseException:
        file.write(before)
        raise
    return "the running broker knows"


def _file_of_running_broker(file: "ConfigFile") -> str | None:
    """Which file the running broker has in place of this one; None where it has this one, or none runs."""
    from broker.ctl.add.config_file import shown  # noqa: PLC0415 - what only these two verbs need

    try:
        read = api_client.read("/v1/status").get("config")
    except CommandError:
        return None
    return None if read is None or file.is_read_with(Path(read)) else shown(Path(read))
