"""The configuration: TOML layers in, one frozen Config out, or a BadConfiguration that names file and line.

Knows the shape that all feeds share; what a provider adds is validated by the provider's own model, which the
daemon hands over in a Schema. Touches no file: the text is passed in. Read
`daemon/feed_table_builder.py` next.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from broker.config.toml_lines import (
    deepest_line,
    heads_of_feeds,
    line_of,
    line_of_nul,
    lines_of,
    longest_number,
)
from broker.core.defect import name_of
from broker.core.duration import positive_duration
from broker.core.failures import BadConfiguration, BadRequest
from broker.core.feeds import Allow
from broker.core.urls import Url, parse_url

BYTE_ORDER_MARK = "\ufeff"
"""What some editors begin a UTF-8 file with; of it, tomllib says only "invalid statement"."""

TTL_MIN_S = 1.0
"""A shorter life than this would be spent renewing."""

_M = TypeVar("_M", bound=BaseModel)

Role = Literal["site", "env", "user"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One file's text; later layers win over earlier ones. Unknown keys in the site's file only warn."""

    text: str
    path: str
    role: Role = "user"


@dataclass(frozen=True, slots=True)
class Schema:
    """What the providers know: their settings models by name, and what a URL says of itself.

    An empty `settings` leaves the providers' own keys unchecked: brokerctl has no SDKs to ask.
    """

    settings: Mapping[str, type[BaseModel]]
    provider_of: Callable[[Url], str | None]
    default_name: Callable[[Url], str]


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """One [[feed]]: what all feeds share, and the provider's own settings.

    `own_keys` are the provider's as they are written, merged; `settings` what its model makes of them, or
    None where the Schema has no models.
    """

    name: str
    url: Url
    also: tuple[Url, ...]
    provider: str
    settings: BaseModel | None
    verify: bool
    allow: Allow | None
    place: str
    own_keys: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that was configured, or the defaults. Durations in seconds; `idle_s` None: never."""

    ttl_s: float = 3000.0
    auto: bool | frozenset[str] = True
    idle_s: float | None = None
    ca: Path | None = None
    log: str = "info"
    env: Mapping[str, str] = field(default_factory=dict)
    feeds: tuple[FeedConfig, ...] = ()
    warnings: tuple[str, ...] = ()

    def learns(self, provider: str) -> bool:
        """Whether `auto` lets the daemon learn feeds of this provider from questions about them."""
        return self.auto if isinstance(self.auto, bool) else provider in self.auto


def _never_or_duration(value: object) -> float | None:
    return None if value == "never" else positive_duration(value)


def _variables(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise ValueError("no program can have a variable with = in its name, or with a NUL")
    return variables


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _Allow(_Model):
    users: list[str] = []
    groups: list[str] = []


class _Feed(_Model):
    """The shared keys of one [[feed]]; a provider's own keys are taken out before."""

    url: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    also: list[str] = []
    provider: str
    verify: bool = True
    allow: _Allow | None = None


class _File(_Model):
    ttl: Annotated[float, BeforeValidator(positive_duration), Field(ge=TTL_MIN_S)] = 3000.0
    auto: bool | list[str] = True
    idle: Annotated[float | None, BeforeValidator(_never_or_duration)] = None
    ca: str = "system"
    log: Literal["debug", "info", "warning", "error"] = "info"
    env: Annotated[dict[str, str], AfterValidator(_variables)] = {}
    feed: list[dict[str, Any]] = []


class _FileModels(NamedTuple):
    file: type[BaseModel]
    feed: type[BaseModel]
    never_or_duration: Callable[[object], float | None]


FILE_MODELS = _FileModels(_File, _Feed, _never_or_duration)
"""The models that every file is read by, for the reference page that is made from them."""


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
        raise _unread(" or ".join(layer.path for layer in layers), defect) from None


def _together(layers: Sequence[Layer], schema: Schema, *, system: bool) -> Config:
    top: dict[str, Any] = {}
    env: dict[str, str] = {}
    feeds: dict[str, _RawFeed] = {}
    warnings: list[str] = []
    for layer in layers:
        table = _parsed(layer)
        if layer.role == "site":
            warnings += _without_unknown_keys(table, layer)
        file = _validated(_File, table, layer)
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
    file = _File.model_validate(top)
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


def names_in(layer: Layer, schema: Schema) -> list[str]:
    """What the layer's own feeds are called, in its order. Raises BadConfiguration for names that clash."""
    return [raw.name for raw in _named(_validated(_File, _parsed(layer), layer), layer, schema)]


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
        return _wrong(self.layer, ("feed", self.number, *((key,) if key else ())), message)


def _parsed(layer: Layer) -> dict[str, Any]:
    if layer.text.startswith(BYTE_ORDER_MARK):
        raise BadConfiguration(
            f"{layer.path}, line 1: begins with a byte order mark: save it as UTF-8 without one"
        )
    try:
        found = tomllib.loads(layer.text)
    except RecursionError:
        raise BadConfiguration(
            f"{layer.path}, line {deepest_line(layer.text)}: too many brackets within brackets: write fewer"
        ) from None
    except tomllib.TOMLDecodeError as error:
        # "Expected '=' after a key (at line 3, column 5)": the place belongs in front.
        message, _, place = str(error).partition(" (at ")
        line = re.match(r"line ([0-9]+)", place)
        where = f"line {line[1]}" if line else f"line {len(lines_of(layer.text))}, its end"
        raise BadConfiguration(f"{layer.path}, {where}: not TOML: {message.lower()}") from None
    except Exception as defect:  # noqa: BLE001 - as above
        # int() refuses more than 4300 digits with a bare ValueError
        number = longest_number(layer.text)
        if number is None:
            raise _unread(layer.path, defect) from None
        raise BadConfiguration(
            f"{layer.path}, line {number}: a number has too many digits: write a shorter one"
        ) from None
    nul = line_of_nul(layer.text, found)
    if nul is not None:
        why = "a NUL character, which no path, variable or program can have: remove it"
        raise BadConfiguration(f"{layer.path}, line {nul}: {why}")
    return found


def _unread(place: str, defect: Exception) -> BadConfiguration:
    """For what no rule foresaw. The defect's text may quote the file, which may hold a secret."""
    return BadConfiguration(
        f"{place}: cannot be used ({name_of(defect)}): undo the last change of the file",
        hint="brokerctl logs",
    )


def _path(text: str, layers: Sequence[Layer]) -> Path:
    """The path, `~` led home. Raises BadConfiguration where that is no user's."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        who = text.partition("/")[0]
        layer = next(layer for layer in reversed(layers) if _parsed(layer).get("ca") == text)
        raise _wrong(layer, ("ca",), f"ca: {who} is no user with a home: write the whole path") from None


def _without_unknown_keys(table: dict[str, Any], layer: Layer) -> list[str]:
    unknown = [key for key in table if key not in _File.model_fields]
    for key in unknown:
        del table[key]
    return [f"{layer.path}: unknown key {key}, ignored" for key in unknown]


def _named(file: _File, layer: Layer, schema: Schema) -> list[_RawFeed]:
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
        known = ", ".join(sorted(schema.settings))
        raise raw.wrong(f"there is no provider {provider}: write one of {known}", "provider")
    model = schema.settings.get(provider)
    own = {key: keys.pop(key) for key in list(keys) if key not in _Feed.model_fields}
    for key in sorted(
        raw.lenient & own.keys() - (model.model_fields.keys() if model is not None else own.keys())
    ):
        del own[key]
        warnings.append(f"{raw.layer.path}: unknown key {key} of feed {raw.name}, ignored")
    shared = _validated(_Feed, keys, raw.layer, ("feed", raw.number))
    return FeedConfig(
        name=raw.name,
        url=url,
        also=tuple(_url(raw, "also", text) for text in shared.also),
        provider=provider,
        settings=_validated(model, own, raw.layer, ("feed", raw.number)) if model is not None else None,
        verify=shared.verify,
        allow=Allow(tuple(shared.allow.users), tuple(shared.allow.groups)) if shared.allow else None,
        place=f"{raw.layer.path} line {raw.line}",
        own_keys=MappingProxyType(own),
    )


def _url(raw: _RawFeed, key: str, text: object) -> Url:
    if not isinstance(text, str):
        raise raw.wrong("a feed needs a url, written in quotes", key)
    try:
        return parse_url(text)
    except BadRequest as error:
        raise raw.wrong(error.detail, key) from None


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


def _validated(
    model: type[_M], table: Mapping[str, Any], layer: Layer, above: tuple[str | int, ...] = ()
) -> _M:
    try:
        return model.model_validate(table)
    except ValidationError as errors:
        error = errors.errors(include_url=False, include_input=False, include_context=False)[0]
        path = (*above, *error["loc"])
        key = ".".join(str(part) for part in error["loc"])
        match error["type"]:
            case "extra_forbidden":
                message = f"unknown key {key}{_did_you_mean(key, model)}"
            case "missing":
                message = f"{key} is missing"
            case _:
                said = error["msg"].removeprefix("Value error, ")
                message = f"{key}: {said}" if key else said  # keys that do not go together have no one key
        raise _wrong(layer, path, message) from None
    except Exception as defect:  # noqa: BLE001 - a validator, perhaps of another distribution
        raise _unread(f"{layer.path}, line {line_of(layer.text, above)}", defect) from None


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    near = get_close_matches(
        key, [*model.model_fields, *(_Feed.model_fields if model is not _File else ())], n=1
    )
    return f", did you mean {near[0]}?" if near else ""


def _wrong(layer: Layer, path: tuple[str | int, ...], message: str) -> BadConfiguration:
    return BadConfiguration(f"{layer.path}, line {line_of(layer.text, path)}: {message}")
