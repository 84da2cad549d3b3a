"""The user name without which a feed answers nothing: its own, or the one that its secret comes with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from broker.core.secret_source import KeyringSecret, NetrcSecret, parse
from broker.core.urls import Url
from broker.ctl.clients.stored_passwords import netrc_entries
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from broker.config.model import FeedConfig


def required_username(keys: Mapping[str, Any], url: Url, user_dirs: UserDirs) -> str | None:
    """The one that the keys of a `[[feed]]` require; None where any does, or where it cannot be told.

    `Credential.is_personal` is the rule: what netrc or a keyring's entry keeps goes with its own name only.
    """
    if keys.get("username") is not None:
        return str(keys["username"])
    try:
        source = parse(keys.get("secret"))
    except ValueError:
        return None
    match source:
        case NetrcSecret():
            logins = (each.login for each in netrc_entries(user_dirs) if each.host == url.origin.host)
            return next(logins, None)
        case KeyringSecret(username=username):
            return username
    return None


def required_by(user_dirs: UserDirs) -> Callable[["FeedConfig"], str | None]:
    """The user name that a configured feed requires, by what is in this user's files."""
    return lambda feed: required_username(feed.own_keys, feed.url, user_dirs)


def is_in_netrc(keys: Mapping[str, Any]) -> bool:
    """True where netrc keeps the secret, and so has the name."""
    return keys.get("secret") == "netrc"
