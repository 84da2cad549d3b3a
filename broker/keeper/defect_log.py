"""DefectLog: a defect that one item of a loop meets at every turn is said once.

Part of the walls around each unit: whoever catches an exception so that the rest goes on tells it here.
"""

import logging

from broker.core.defect import name_of

REMEMBERED_MAX = 1024
"""So many items' last defects are known; beyond that they are said again."""


class DefectLog:
    """Says each item's defect when it begins and when it becomes another one. Never raises."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, str] = {}

    def tell(self, item: str, defect: BaseException) -> str:
        """Log the defect with its place, unless it is the item's last one; returns its name."""
        name = name_of(defect)
        if self._said.get(item) != name:
            if len(self._said) >= REMEMBERED_MAX:
                self._said.clear()
            self._said[item] = name
            try:
                self._log.error("defect_contained item=%s", item, exc_info=defect)
            except Exception:  # noqa: BLE001 - the log itself may be what is broken
                return name
        return name

    def __len__(self) -> int:
        return len(self._said)

    def past(self, item: str) -> None:
        """The item did without one: the next defect is news."""
        self._said.pop(item, None)
