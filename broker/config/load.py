"""TOML layers in, one frozen Config out, or a BadConfiguration that names file and line.

Knows the shape that all feeds share; what a provider adds is validated by the provider's own model, which the
daemon hands over in a Schema. Touches no file: the text is passed in. Read
`daemon/feed_table_builder.py` next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from broker.config.file_models import FeedKeys, FileKeys
from broker.config.layer_text import parsed, unread, validated, wrong_at
from broker.config.model import Config, FeedConfig, Layer, Schema
from broker.config.toml_lines import heads_of_feeds, lines_of
from broker.core.failures import BadConfiguration, BadRequest
from broker.core.feeds import Allow
from broker.core.secret_source import FORMS
from broker.core.urls import Url, has_password, parse_url


def load(layers: Sequence[Layer], schema: Schema, *, system: bool = False) -> Config:
    """Return what the layers say together: the later one wins, feeds of one name are merged key by key.

    A feed of an address that an earlier layer has under another name takes that one's place. A feed of the
    site's with `allow` is the system broker's: a user's own, not `system`, leaves it out.

    Raises BadConfiguration with file, line and remedy for what cannot be meant, and nothing else.
    """
    try:
        return _together(layers, schema, system=system)
    except BadConfiguration:
        raise
    except Exception as defect:  # noqa: BLE001 - whatever stands in a file costs a message
        raise unread(" or ".join(layer.path for layer in layers), defect) from None


def _together(layers: Sequence[Layer], schema: Schema, *, system: bool) -> Config:
    top: dict[str, Any] = {}
    env: dict[str, str] = {}
    feeds: dict[str, _RawFeed] = {}
    warnings: list[str] = []
    for layer in layers:
        table = parsed(layer)
        if layer.role == "site":
            warnings += _without_unknown_keys(table, layer)
        file = validated(FileKeys, table, layer)
        warnings += _unknown_providers(file.auto, layer, schema)
        standing = {other.address(): name for name, other in feeds.items() if "url" in other.keys}
        for raw in _named(file, layer, schema):
            if layer.role == "site" and "allow" in raw.keys and not system:
                continue
            earlier = feeds.get(raw.name)
            replaced = standing.get(raw.address()) if earlier is None and "url" in raw.keys else None
            if replaced in feeds and feeds[replaced].layer is not layer:
                del feeds[replaced]
            feeds[raw.name] = raw if earlier is None else raw.over(earlier)
        env.update(file.env)
        top.update(table)
    file = FileKeys.model_validate(top)
    return Config(
        ttl_s=file.ttl,
        auto=frozenset(file.auto) if isinstance(file.auto, list) else file.auto,
        idle_s=file.idle,
        ca=None if file.ca == "system" else _path(file.ca, layers),
        log=file.log,
        env=env,
        feeds=_distinct([_feed(raw, schema, warnings) for raw in feeds.values()]),
        warnings=tuple(warnings),
    )


def _unknown_providers(auto: bool | list[str], layer: Layer, schema: Schema) -> list[str]:
    """A warning for each provider in `auto` that is not there, in the site's file; elsewhere it is raised."""
    known = set(schema.settings)  # not `in` the mapping, which would load the provider
    unknown = [] if isinstance(auto, bool) or not known else [each for each in auto if each not in known]
    if unknown and layer.role != "site":
        raise wrong_at(layer, ("auto",), f"auto: {schema.without(unknown[0])}")
    return [f"{layer.path}: unknown provider {provider} in auto, ignored" for provider in unknown]


def names_in(layer: Layer, schema: Schema) -> list[str]:
    """What the layer's own feeds are called, in its order. Raises BadConfiguration for names that clash."""
    return [raw.name for raw in _named(validated(FileKeys, parsed(layer), layer), layer, schema)]


@dataclass(frozen=True, slots=True)
class _RawFeed:
    """A [[feed]] table before its provider has looked at it.

    `number` counts the tables of its file, from 0; `line` is where it begins, from 1.
    `lenient` are the keys that only the site's file has: unknown ones among them are no error.
    """

    name: str
    keys: dict[str, Any]
    layer: Layer
    number: int
    line: int
    lenient: frozenset[str]

    def over(self, earlier: "_RawFeed") -> "_RawFeed":
        """This table laid over an earlier layer's of the same name."""
        return replace(
            self,
            keys={**earlier.keys, **self.keys},
            lenient=self.lenient | (earlier.lenient - self.keys.keys()),
        )

    def address(self) -> Url:
        """What its URL says. Raises BadConfiguration."""
        return _url(self, "url", self.keys["url"])

    def wrong(self, message: str, key: str | None = None) -> BadConfiguration:
        return wrong_at(self.layer, ("feed", self.number, *((key,) if key else ())), message)


def _path(text: str, layers: Sequence[Layer]) -> Path:
    """The path, `~` led home. Raises BadConfiguration where that is no user's, and for an empty text."""
    try:
        if text:
            return Path(text).expanduser()
        wrong = 'write the path of a file of certificates, or "system"'
    except RuntimeError:
        wrong = f"{text.partition('/')[0]} is no user with a home: write the whole path"
    layer = next(layer for layer in reversed(layers) if parsed(layer).get("ca") == text)
    raise wrong_at(layer, ("ca",), f"ca: {wrong}")


def _without_unknown_keys(table: dict[str, Any], layer: Layer) -> list[str]:
    unknown = [key for key in table if key not in FileKeys.model_fields]
    for key in unknown:
        del table[key]
    return [f"{layer.path}: unknown key {key}, ignored" for key in unknown]


def _named(file: FileKeys, layer: Layer, schema: Schema) -> list[_RawFeed]:
    """The layer's feeds by name: their own, or the one that their URL gives them."""
    raws: dict[str, _RawFeed] = {}
    heads = heads_of_feeds(lines_of(layer.text))
    for number, keys in enumerate(file.feed):
        line = heads[number] if number < len(heads) else 1
        raw = _RawFeed("", keys, layer, number, line, frozenset(keys if layer.role == "site" else ()))
        name = keys.get("name")
        if name is None and "url" not in keys:
            raise raw.wrong("a feed needs a url")
        if name is None:
            name = schema.default_name(_url(raw, "url", keys["url"]))
            name = next(
                free for free in chain((name,), (f"{name}-{n}" for n in count(2))) if free not in raws
            )
        if str(name) in raws:
            raise raw.wrong(f"two feeds are called {name}: give one of them another name", "name")
        raws[str(name)] = replace(raw, name=str(name))
    return list(raws.values())


def _feed(raw: _RawFeed, schema: Schema, warnings: list[str]) -> FeedConfig:
    keys = {"name": raw.name, **raw.keys}
    url = _url(raw, "url", keys.get("url"))
    keys.setdefault("provider", schema.provider_of(url))
    if keys["provider"] is None:
        raise raw.wrong(f'{url.origin} does not name its provider: write provider = "basic", or another one')
    provider = str(keys["provider"])
    if schema.settings and provider not in schema.settings:
        raise raw.wrong(schema.without(provider), "provider")
    model = schema.settings.get(provider)
    own = {key: keys.pop(key) for key in list(keys) if key not in FeedKeys.model_fields}
    for key in sorted(
        raw.lenient & own.keys() - (model.model_fields.keys() if model is not None else own.keys())
    ):
        del own[key]
        warnings.append(f"{raw.layer.path}: unknown key {key} of feed {raw.name}, ignored")
    shared = validated(FeedKeys, keys, raw.layer, ("feed", raw.number))
    return FeedConfig(
        name=raw.name,
        url=url,
        also=tuple(_url(raw, "also", text) for text in shared.also),
        provider=provider,
        settings=validated(model, own, raw.layer, ("feed", raw.number)) if model is not None else None,
        verify=shared.verify,
        allow=Allow(tuple(shared.allow.users), tuple(shared.allow.groups)) if shared.allow else None,
        place=f"{raw.layer.path} line {raw.line}",
        own_keys=MappingProxyType(own),
    )


def _url(raw: _RawFeed, key: str, text: object) -> Url:
    if not isinstance(text, str):
        raise raw.wrong("a feed needs a url, written in quotes", key)
    try:
        url = parse_url(text)
    except BadRequest as error:
        said = error.detail if key == "url" else f"{key}: {error.detail}"
        raise raw.wrong(said, key) from None
    if has_password(text):
        said = f"the URL holds a password: leave it out, and say in `secret` where it is: {FORMS}"
        raise raw.wrong(said, key)
    return url


def _distinct(feeds: list[FeedConfig]) -> tuple[FeedConfig, ...]:
    seen: dict[Url, FeedConfig] = {}
    for feed in feeds:
        for url in (feed.url, *feed.also):
            other = seen.setdefault(url, feed)
            if other is not feed:
                raise BadConfiguration(
                    f"{feed.place}: feed {feed.name} has the address {url}, which feed {other.name} has too: "
                    "take it out of one of them"
                )
    return tuple(feeds)
