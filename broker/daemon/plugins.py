"""Providers that other distributions bring: entry points of the group `token_broker.providers`.

An entry point names a class that satisfies `providers.protocol.ProviderClass`, under the name that a
configuration writes after `provider =`. It runs inside the daemon and sees its secrets: what is installed
beside the broker is trusted as the broker is. One that is broken is a warning, never the daemon's end.
"""

import logging
from collections.abc import Hashable, Iterator, Sequence
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, ClassVar

from pydantic import ConfigDict

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.feeds import DEFAULT_IDENTITY, Feed
from broker.providers.protocol import Provider, ProviderClass, ProviderContext, Settings

GROUP = "token_broker.providers"

log = logging.getLogger("broker.plugins")


def with_plugins(built_in: Sequence[ProviderClass]) -> tuple[ProviderClass, ...]:
    """The built-in providers, then those of other installed distributions. Never raises."""
    taken = {provider.name for provider in built_in}
    found: list[ProviderClass] = []
    for point in _entry_points():
        if point.name in taken:
            log.warning("plugin_ignored name=%s: there is a provider of this name already", point.name)
            continue
        taken.add(point.name)
        found.append(_Guarded(point.name, _loaded(point)))
    return (*built_in, *found)


def _entry_points() -> Iterator[EntryPoint]:
    """Those of our group; one distribution whose own cannot be read does not hide the others'."""
    try:
        yield from entry_points(group=GROUP)
    except Exception:  # noqa: BLE001 - importlib.metadata does not say what a damaged file raises
        for each in distributions():
            try:
                yield from each.entry_points.select(group=GROUP)
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("plugins_unread distribution=%s error=%s", each.name, type(error).__name__)


class _Unread(Settings):
    """The settings of a provider that could not be loaded: any keys, since they are not the mistake."""

    model_config = ConfigDict(extra="allow")


class _Guarded:
    """A plug-in's class, which may fail when it is made and must not take the others with it."""

    def __init__(self, name: str, plugin: ProviderClass | None) -> None:
        self.name = name
        self.settings = _Unread if plugin is None else plugin.settings
        self._plugin = plugin

    def __call__(self, context: ProviderContext, /) -> Provider:
        if self._plugin is None:
            return _Broken(self.name)
        try:
            return _renamed(self._plugin(context))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the plug-in's own code may raise anything
            log.warning("plugin_broken name=%s error=%s", self.name, type(error).__name__)
            return _Broken(self.name)


class _Broken:
    """Stands in for a provider that could not be loaded or made: its feeds say so, the others go on."""

    name: ClassVar[str] = "broken"
    settings: ClassVar[type[Settings]] = Settings

    def __init__(self, name: str) -> None:
        self._why = f"the plug-in for provider {name} is broken"

    def identity(self, settings: Settings) -> str:  # noqa: ARG002 - there is no sign-in
        return DEFAULT_IDENTITY

    def kind(self, settings: Settings) -> str:  # noqa: ARG002 - there is none
        return "token"

    def username(self, settings: Settings) -> str | None:  # noqa: ARG002 - there is none
        return None

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - it always fails
        raise Refused(self._why, hint="brokerctl logs")

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:  # noqa: ARG002 - a reload makes it anew
        return None


def _renamed(provider: Provider) -> Provider:
    """The provider with `sign_in_fingerprint`, which older plug-ins call `sign_in_marks`.

    The method is added to the class, since `isinstance` with a protocol does not look through a wrapper.
    """
    kind: Any = type(provider)
    if not hasattr(provider, "sign_in_fingerprint") and hasattr(provider, "sign_in_marks"):
        kind.sign_in_fingerprint = lambda self, feed: self.sign_in_marks(feed)
    return provider


def _loaded(point: EntryPoint) -> ProviderClass | None:
    """What the entry point names, if that can be a provider."""
    try:
        plugin = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the plug-in's own code may raise anything
        log.warning("plugin_broken name=%s error=%s", point.name, type(error).__name__)
        return None
    settings = getattr(plugin, "settings", None)
    is_provider = callable(plugin) and isinstance(settings, type) and issubclass(settings, Settings)
    if not is_provider or getattr(plugin, "name", None) != point.name:
        log.warning("plugin_broken name=%s: %s is no provider of this name", point.name, point.value)
        return None
    provider: ProviderClass = plugin
    return provider
