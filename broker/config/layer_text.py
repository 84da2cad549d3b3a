"""One file's text as a table and as models; what is wrong with it, with file and line."""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from broker.config.file_models import FeedKeys, FileKeys
from broker.config.model import Layer
from broker.config.toml_lines import (
    deepest_line,
    line_of,
    line_of_long_key,
    line_of_nul,
    lines_of,
    longest_number,
)
from broker.core.defect import name_of
from broker.core.failures import BadConfiguration

BYTE_ORDER_MARK = "\ufeff"
"""What some editors begin a UTF-8 file with; of it, tomllib says only "invalid statement"."""

_M = TypeVar("_M", bound=BaseModel)


def parsed(layer: Layer) -> dict[str, Any]:
    """The layer's table. Raises BadConfiguration."""
    if layer.text.startswith(BYTE_ORDER_MARK):
        raise BadConfiguration(
            f"{layer.path}, line 1: begins with a byte order mark: save it as UTF-8 without one"
        )
    long_key = line_of_long_key(layer.text)
    if long_key is not None:
        raise BadConfiguration(
            f"{layer.path}, line {long_key}: a key has a hundred dots: write a shorter one"
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
            raise unread(layer.path, defect) from None
        raise BadConfiguration(
            f"{layer.path}, line {number}: a number has too many digits: write a shorter one"
        ) from None
    nul = line_of_nul(layer.text, found)
    if nul is not None:
        why = "a NUL character, which no path, variable or program can have: remove it"
        raise BadConfiguration(f"{layer.path}, line {nul}: {why}")
    return found


_WORDS = {
    "string_type": "write text in quotes",
    "dict_type": "write a table",
    "model_type": "write a table",
    "bool_type": "write true or false",
    "list_type": "write a list in brackets",
    "tuple_type": "write a list in brackets",
}
"""What pydantic's commonest refusals mean in a TOML file, by its name for each."""


def unread(place: str, defect: Exception) -> BadConfiguration:
    """For what no rule foresaw. The defect's text may quote the file, which may hold a secret."""
    return BadConfiguration(
        f"{place}: cannot be used ({name_of(defect)}): undo the last change of the file",
        hint="brokerctl logs",
    )


def validated(
    model: type[_M], table: Mapping[str, Any], layer: Layer, above: tuple[str | int, ...] = ()
) -> _M:
    """The table, which stands at the path `above` in the layer, as the model. Raises BadConfiguration."""
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
                said = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
                said = said.replace("Input should", "it must").replace("String should", "it must")
                message = f"{key}: {said}" if key else said  # keys that do not go together have no one key
        raise wrong_at(layer, path, message) from None
    except Exception as defect:  # noqa: BLE001 - a validator, perhaps of another distribution
        raise unread(f"{layer.path}, line {line_of(layer.text, above)}", defect) from None


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    near = get_close_matches(
        key, [*model.model_fields, *(FeedKeys.model_fields if model is not FileKeys else ())], n=1
    )
    return f", did you mean {near[0]}?" if near else ""


def wrong_at(layer: Layer, path: tuple[str | int, ...], message: str) -> BadConfiguration:
    """What to raise for what stands at the path in the layer."""
    return BadConfiguration(f"{layer.path}, line {line_of(layer.text, path)}: {message}")
