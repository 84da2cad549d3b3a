"""From a configuration and the providers to the FeedTable that look-ups are matched against.

Part of the composition root: beside `daemon/composition.py` the only file that knows configuration and
providers.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from broker.config.model import Config, FeedConfig, Schema
from broker.core.defect import name_of
from broker.core.failures import BadConfiguration
from broker.core.feeds import READ, Feed, FeedTable, Recognise, Recognised, SlotKey
from broker.core.refresh import RefreshPolicy
from broker.core.urls import Service, Url
from broker.daemon.built_in_providers import BuiltInProvider
from broker.daemon.by_name import ByName
from broker.keeper.renewal_policy import LEARNED_IDLE_S, RenewalPolicies
from broker.providers.protocol import (
    NeedsSecret,
    Provider,
    ProviderClass,
    ProviderContext,
    Recognising,
    Settings,
)
from broker.providers.recognise.feed_name import default_name
from broker.providers.recognise.kinds import TELL_AT_ROOT
from broker.providers.recognise.services import (
    looks_like_feed,
    provider_of,
    realm_of,
    recognise,
    spellings_of,
)

log = logging.getLogger("broker.service")


def schema_of(classes: Sequence[ProviderClass]) -> Schema:
    """What the configuration's reader must know of the providers."""
    return Schema(
        ByName({}, {each.name: partial(_settings_of, each) for each in classes}), provider_of, default_name
    )


def _settings_of(each: ProviderClass) -> type[Settings]:
    return each.settings


def providers_of(
    classes: Sequence[ProviderClass], config: Config, context: ProviderContext
) -> ByName[Provider]:
    """The providers, made for a configuration; raises BadConfiguration for a broken one that it needs.

    A built-in one that no configured feed needs is loaded and made when a look-up first does.
    """
    providers: dict[str, Provider] = {}
    later: dict[str, Callable[[], Provider]] = {}
    for each in classes:
        wanting = [feed for feed in config.feeds if feed.provider == each.name]
        if isinstance(each, BuiltInProvider) and not each.recognises and not wanting:
            later[each.name] = partial(each, context)
            continue
        try:
            providers[each.name] = each(context)
        except Exception as defect:
            log.exception("provider_broken provider=%s", each.name)
            if wanting:
                raise _defect_at(wanting[0], defect) from None
    return ByName(providers, later)


def _defect_at(feed: FeedConfig, defect: Exception) -> BadConfiguration:
    why = f"the provider {feed.provider} has a defect ({name_of(defect)}): remove the feed"
    return BadConfiguration(f"{feed.place}: {why}", hint="brokerctl logs")


def renewal_policies_of(config: Config) -> RenewalPolicies:
    """When feeds are renewed, configured and learned ones."""
    learned_idle_s = LEARNED_IDLE_S if config.idle_s is None else min(LEARNED_IDLE_S, config.idle_s)
    return RenewalPolicies(
        RefreshPolicy(config.ttl_s, config.idle_s), RefreshPolicy(config.ttl_s, learned_idle_s)
    )


def table_of(config: Config, providers: ByName[Provider], *, system: bool = False) -> FeedTable:
    """The feeds, under every spelling of their addresses; raises BadConfiguration where two contradict.

    `system`: of a system broker, which may keep feeds from some users, and gives out no credential that can
    publish.
    """
    feeds: list[Feed] = []
    claims: dict[Url, tuple[Feed, FeedConfig]] = {}
    for configured in config.feeds:
        try:
            feed = _feed(configured, providers[configured.provider])
        except BadConfiguration:
            raise
        except Exception as defect:
            log.exception("provider_broken provider=%s", configured.provider)
            raise _defect_at(configured, defect) from None
        for url in feed.prefixes:
            other, first = claims.setdefault(url, (feed, configured))
            if other.key() != feed.key():
                raise BadConfiguration(
                    f"{configured.place}: feeds {feed.name} and {other.name} ({first.place}) both answer to "
                    f"{url}, with different sign-ins: give them addresses of their own, or keep one"
                )
        feeds.append(feed)
    if system:
        _refuse_what_cannot_be_shared(feeds)

    def adopt(recognised: Recognised) -> Feed | None:
        name = recognised.realm.provider
        provider = providers.get(name)
        if provider is None or not config.learns(name):
            return None
        if isinstance(provider, NeedsSecret) and not provider.brings_secret(recognised.prefixes[0]):
            return None
        return _learned(recognised, provider)

    return FeedTable(feeds, _recognise_with(feeds, providers.made), adopt, looks_like_feed)


def _refuse_what_cannot_be_shared(feeds: Sequence[Feed]) -> None:
    first: dict[SlotKey, Feed] = {}
    for feed in feeds:
        if feed.scope != READ:
            raise BadConfiguration(
                f"{feed.place}: feed {feed.name} asks for the scope {feed.scope}: a system broker gives out "
                "read-only credentials"
            )
        other = first.setdefault(feed.key(), feed)
        if other.allow != feed.allow:
            raise BadConfiguration(
                f"{feed.place}: feeds {feed.name} and {other.name} ({other.place}) have one credential, so "
                "a user of one can use both: give them the same `allow`, or sign-ins of their own"
            )


def _recognise_with(feeds: Sequence[Feed], made: Mapping[str, Provider]) -> Recognise:
    """Asks each provider that recognises more by its own feeds, then the table of `recognise.py`."""
    recognisers = [
        provider.recogniser([feed for feed in feeds if feed.realm.provider == name])
        for name, provider in made.items()
        if isinstance(provider, Recognising)
    ]
    recognisers.append(recognise)

    def recognise_service(service: Service) -> Recognised | None:
        for recogniser in recognisers:
            recognised = recogniser(service)
            if recognised is not None:
                return recognised
        return None

    return recognise_service


def _feed(configured: FeedConfig, provider: Provider) -> Feed:
    realm = realm_of(configured.url, configured.provider)
    spellings = spellings_of(configured.url, configured.provider)
    settings = provider.settings.model_validate(configured.settings or {})
    return Feed(
        name=configured.name,
        realm=realm,
        prefixes=tuple(dict.fromkeys((configured.url, *configured.also, *spellings))),
        identity=provider.identity(settings),
        kind=provider.kind(settings),
        scope=settings.default_scope,
        username=provider.username(settings),
        verify=configured.verify,
        may_serve_below=configured.provider not in TELL_AT_ROOT,
        allow=configured.allow,
        place=configured.place,
        settings=settings,
    )


def _learned(recognised: Recognised, provider: Provider) -> Feed:
    """One feed for a whole realm, with the provider's defaults, named as the realm's root is."""
    settings = provider.settings()
    return Feed(
        name=default_name(recognised.roots[0]),
        realm=recognised.realm,
        prefixes=tuple(dict.fromkeys((recognised.prefixes[0], *recognised.roots))),
        kind=provider.kind(settings),
        username=provider.username(settings),
        configured=False,
        settings=settings,
    )
