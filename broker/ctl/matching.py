"""The feeds that a broker of this user knows, laid out for `FeedTable.match`: no other rule matches here.

Made of the merged configuration and of what running brokers say, as far as that takes no request to a
provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.core.feeds import Feed, FeedTable, Realm, Recognised
from broker.core.urls import urls_of
from broker.providers.recognise.kinds import AZURE, CODEARTIFACT, GOOGLE
from broker.providers.recognise.services import realm_of, recognise, spellings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.config.model import Config, FeedConfig
    from broker.core.status import FeedStatus

BY_THEMSELVES = frozenset({AZURE, GOOGLE, CODEARTIFACT})
"""Providers that `auto` signs in to without configuration."""


def table_of(
    config: Config,
    served: Sequence[FeedStatus] = (),
    required_username: Callable[[FeedConfig], str | None] = lambda _: None,
) -> FeedTable:
    """The configured feeds, after them the `served`, and whatever `auto` covers.

    `required_username`: the user name that a configured feed requires; by default nobody asks for it.
    """
    feeds = [
        Feed(
            name=each.name,
            realm=realm_of(each.url, each.provider),
            prefixes=tuple(dict.fromkeys((each.url, *each.also, *spellings_of(each.url, each.provider)))),
            username=required_username(each),
            place=each.place,
        )
        for each in config.feeds
    ] + [
        Feed(
            name=each.name,
            realm=Realm(each.provider, each.realm.partition(":")[2]),
            prefixes=urls_of(each.urls),
            configured=each.configured,
            username=each.required_username,
        )
        for each in served
        if urls_of(each.urls) and (each.configured or each.usable)  # a learned one may have no sign-in
    ]

    def adopt(recognised: Recognised) -> Feed | None:
        provider = recognised.realm.provider
        if provider not in BY_THEMSELVES or not config.learns(provider):
            return None
        return Feed(recognised.name, recognised.realm, recognised.prefixes, configured=False)

    return FeedTable(feeds, recognise, adopt)
