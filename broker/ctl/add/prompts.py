"""The keys of a new feed, completed: by its address, else by a person, else a CommandError that says how."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.core.secret_source import parse
from broker.core.urls import Url
from broker.ctl.add.required_keys import SECRET, RequiredKey, is_moot, required_keys
from broker.ctl.add.secret_location import SecretLocation, secret_location
from broker.ctl.add.whole_line import whole_line
from broker.ctl.add.workable_feed import RefusedKeyError
from broker.ctl.clients.usernames import ANY
from broker.ctl.command_error import CommandError
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.ui.question import answer_to
from broker.host.standard_streams import is_terminal, tell
from broker.providers.recognise.kinds import GITLAB
from broker.providers.recognise.services import likely_provider, provider_of

BASIC = "basic"


@dataclass(frozen=True, slots=True)
class CompletedKeys:
    """The keys of the feed; `asked` are those that a person was asked for, `suggested` a secret's place."""

    keys: dict[str, Any]
    asked: tuple[RequiredKey, ...] = ()
    suggested: str = ""

    def corrected(self, refused: RefusedKeyError) -> "CompletedKeys":
        """The same with another answer where the refused one was a person's. Raises `refused` elsewhere."""
        need = next((need for need in self.asked if need.key == refused.key), None)
        if need is None:
            raise refused
        tell(refused.said)
        return replace(self, keys={**self.keys, need.key: _answer(need, self.suggested)})


def completed(
    url: Url, keys: Mapping[str, Any], url_username: str | None, config: str | None
) -> CompletedKeys:
    """The provider where the host does not name it, the user name in the URL where it matters, and the rest.

    `config` is what was typed as the file. Raises CommandError where something is missing and there is no
    terminal to ask at.
    """
    named = provider_of(url)
    provider = keys["provider"] or named or likely_provider(url) or BASIC
    found = dict(keys)
    if provider != named or keys["provider"] is not None:
        found["provider"] = provider
    matters = named is None or keys["provider"] is not None or provider == GITLAB
    if keys["username"] is None and matters and url_username != ANY:
        found["username"] = url_username
    missing = required_keys(provider, found, os.environ)
    if not missing:
        return CompletedKeys(found)
    if SECRET in missing and keys["provider"] is None and keys["username"] is None and not url_username:
        _refuse_public(url, keys, config)
    is_told = named is not None or keys["provider"] is not None
    said = (
        f"the provider {provider} needs" if is_told else f"{url.origin} is taken for {provider}, which needs"
    )
    required = " and ".join(need.what for need in missing if not need.optional)
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        if not required:
            return CompletedKeys(found)
        raise CommandError(
            f"{said} {required}",
            hint=whole_line(found, [need.key for need in missing], config=config),
        )
    kept = secret_location(UserDirs.here())
    suggested = kept.suggested(url.origin.host, found["name"])
    if required:
        tell(f"{said} {required}.{_where(kept) if SECRET in missing else ''}")
    for need in missing:
        if not is_moot(need, found):
            found[need.key] = _answer(need, suggested)
    return CompletedKeys(found, tuple(missing), suggested)


def _refuse_public(url: Url, keys: Mapping[str, Any], config: str | None) -> None:
    """Raises CommandError where nothing says that there is a login, and the index answers without one."""
    from broker.ctl.add.public_index import is_public  # noqa: PLC0415 - HTTP, for such an address only

    if is_public(url):
        raise CommandError(
            f"{url} answers without a credential: it needs no feed (nothing was written); for more than "
            "strangers are shown",
            hint=whole_line(keys, [SECRET.key], config=config),
        )


def _where(kept: SecretLocation) -> str:
    return (
        " The desktop's keychain keeps it best."
        if kept.has_keychain
        else " This machine has no keychain that the broker reaches: a file that only you read will do."
    )


def _answer(need: RequiredKey, suggested: str) -> str | None:
    """What a person says, None where it is left out; asked again while a secret's place is none."""
    while True:
        said = answer_to(need.question, suggested if need is SECRET else "" if need.optional else None)
        if need is not SECRET:
            return said or None
        try:
            parse(said)
        except ValueError as error:
            tell(str(error))
        else:
            return said
