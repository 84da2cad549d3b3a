"""docs/reference/configuration.md and token-broker.toml.5: every key, read from the pydantic models."""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from broker.config.file_models import FeedKeys, FileKeys
from broker.core.secret_source import FORMS
from broker.daemon.built_in_providers import PROVIDERS
from broker.providers.azure.settings import AUTH
from tools.reference import markdown
from tools.reference.key_texts import FEED, PROVIDER, TOP, KeyText


class Key(NamedTuple):
    """A key as the pages show it."""

    name: str
    type: str
    default: str
    text: KeyText


class KeyTable(NamedTuple):
    """The keys of one model under a heading; `provider` is empty for what all have."""

    heading: str
    provider: str
    keys: tuple[Key, ...]


def models() -> dict[str, tuple[type[BaseModel], Mapping[str, KeyText]]]:
    """Return each model with the texts of its keys, by heading."""
    found: dict[str, tuple[type[BaseModel], Mapping[str, KeyText]]] = {
        "The whole file": (FileKeys, TOP),
        "Every `[[feed]]`": (FeedKeys, FEED),
    }
    for provider in PROVIDERS:
        found[f"`{provider.name}`"] = (provider.settings, PROVIDER.get(provider.name, {}))
    return found


def key_tables() -> list[KeyTable]:
    """Return every key that a configuration file may have. Raises KeyError for one without a text."""
    return [
        KeyTable(heading, heading.strip("`") if heading.startswith("`") else "", tuple(_keys(model, texts)))
        for heading, (model, texts) in models().items()
    ]


def _keys(model: type[BaseModel], texts: Mapping[str, KeyText]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        default = "from the URL" if model is FeedKeys and name in _OPTIONAL_URL else default_of(field)
        yield Key(name, type_of(field), default, texts[name])


def type_of(field: FieldInfo) -> str:
    """Return the type as a user of TOML would say it."""
    return _described(field.annotation, field.metadata)


def _described(kind: Any, metadata: Iterable[object]) -> str:  # noqa: ANN401 - an annotation may be anything
    """A number that is made of what the file says is a duration: TOML has no other way to write one."""
    spelled = _spelled(kind)
    is_made = any(isinstance(each, BeforeValidator) for each in metadata)
    return "duration" if spelled == "number" and is_made else spelled


def _spelled(kind: Any) -> str:  # noqa: ANN401, PLR0911 - an annotation may be anything; a line for each kind
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _described(inner[0], inner[1:])
    if origin in {typing.Union, types.UnionType}:
        parts = [_spelled(each) for each in inner if each is not type(None)]
        if all(part.startswith("where a secret is") for part in parts):
            return parts[0]
        return " or ".join(dict.fromkeys(parts))
    if origin is typing.Literal:
        return " or ".join(f'`"{each}"`' for each in inner)
    if origin in {list, tuple}:
        return f"list of {_spelled(inner[0])}s".replace("any values", "tables") if inner else "list"
    if origin is dict:
        return "table"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "table"
    if isinstance(kind, type) and kind.__name__.endswith("Secret"):
        return "where a secret is"
    return {str: "string", bool: "true or false", int: "number", float: "number"}.get(kind, "any value")


def default_of(field: FieldInfo) -> str:
    """Return the default as TOML would write it; "required", "none" or "by the other keys" otherwise."""
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default is PydanticUndefined:
        return "by the other keys"
    return _default(field)


def _default(field: FieldInfo) -> str:
    value = field.default
    match value:
        case None:
            return (
                '`"never"`' if type_of(field) == "duration" and "float" in str(field.annotation) else "none"
            )
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case float() if type_of(field) == "duration":
            return f'`"{value / 60:.0f}m"`'
        case () | [] | {}:
            return "none"
        case _:
            return f"`{value}`"


_OPTIONAL_URL = {"name", "provider"}


def markdown_page() -> str:
    """The page."""
    parts = [
        "`brokerctl add` writes most of this for you. The file is `~/.config/token-broker/config.toml` (or what "
        "`--config` or `TOKEN_BROKER_CONFIG` names), over the site's `/etc/token-broker/config.toml`; the system "
        "broker reads `/etc/token-broker/system.toml`. No file at all is fine; one that is named must be there. Unknown keys are refused, with "
        "file and line; in the site's file they only warn.",
        'A **duration** is a number and a unit, such as `"50m"`, `"12h"` or `"90s"`. **Where a secret is** is one of '
        f"{_code_forms()}. A secret in plain text is refused. `credential:NAME` is for a service whose unit loads it, "
        "`env:NAME` for `brokerctl exec` in a job or a shell: a service has none of their variables, and `[env]` is a "
        "file as well, no place for a secret.",
    ]
    for keys in key_tables():
        parts.append(f"## {keys.heading}")
        if keys.provider:
            parts.append(f'Keys of a `[[feed]]` whose provider is `"{keys.provider}"`.')
        if keys.provider == "azure":
            parts.append(f"`auth` may name {', '.join(f'`{name}`' for name in AUTH)}.")
        parts.append(
            markdown.table(("key", "type", "default", "meaning", "example", "since"), map(_row, keys.keys))
        )
    return markdown.page("Configuration", *parts)


def _row(key: Key) -> tuple[str, ...]:
    return (
        f"`{key.name}`",
        key.type,
        key.default,
        key.text.means,
        markdown.code(key.text.example),
        key.text.since,
    )


def _code_forms() -> str:
    return ", ".join(f"`{form}`" for form in re.split(r", | or ", FORMS))
