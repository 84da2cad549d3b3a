"""Tables whose rows go one way through whole processes: some run always, the others with `-m long`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from _pytest.mark import ParameterSet


def sampled(rows: Mapping[str, Any] | Iterable[str], always: Collection[str]) -> list[ParameterSet]:
    """Parameters of the rows, with their names as ids; those not named in `always` are marked `long`.

    The values of a mapping are the parameters, a tuple's items one each. A name that is no row's is an error.
    """
    table = rows if hasattr(rows, "items") else {name: (name,) for name in rows}
    assert set(always) <= set(table), f"no rows: {sorted(set(always) - set(table))}"
    return [
        pytest.param(
            *(values if isinstance(values, tuple) else (values,)),
            id=name,
            marks=() if name in always else pytest.mark.long,
        )
        for name, values in table.items()
    ]


def few(rows: Iterable[Any], always: int) -> list[Any]:
    """Parameters of the rows, a tuple's items one each; those after the first `always` are marked `long`."""
    return [
        row
        if number < always
        else pytest.param(*(row if type(row) is tuple else (row,)), marks=pytest.mark.long)
        for number, row in enumerate(rows)
    ]
