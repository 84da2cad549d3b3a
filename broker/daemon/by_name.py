"""ByName: a mapping whose values are made when they are first asked for."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

V = TypeVar("V")


class ByName(Mapping[str, V]):
    """The values by name, some made and others still to be made. Names are known before values are.

    What makes a value may raise: then the name has none, and is asked for anew the next time.
    """

    def __init__(self, made: Mapping[str, V], later: Mapping[str, Callable[[], V]]) -> None:
        self.made = dict(made)
        self._later = later

    def __getitem__(self, name: str) -> V:
        """The value; KeyError where there is none of this name."""
        if name not in self.made:
            self.made[name] = self._later[name]()
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        """All names, those that are made first."""
        return iter({**self.made, **self._later})

    def __len__(self) -> int:
        """How many names."""
        return len({**self.made, **self._later})
