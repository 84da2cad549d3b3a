"""Who hears of a feed's new state."""

from collections.abc import Callable

from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.keeper.defect_log import DefectLog
from broker.keeper.slot_entry import SlotEntry
from broker.keeper.slot_table import SlotTable


class StateNews:
    """The listeners, and what they were told last."""

    def __init__(self, slot_table: SlotTable, defects: DefectLog) -> None:
        self._slot_table = slot_table
        self._defects = defects
        self._listeners: set[Callable[[Feed], None]] = set()

    def subscribe(self, listener: Callable[[Feed], None]) -> Callable[[], None]:
        """Call `listener` with each feed whose state has changed; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def announce(self, entry: SlotEntry, now: Moment) -> None:
        """Tell the listeners when an entry's state is another than the one last shown."""
        state = entry.slot.state(now)
        if state is not entry.shown:
            entry.shown, entry.since = state, now.wall
            for feed in self._slot_table.sharing(entry.slot.key):
                self.tell(feed)

    def tell(self, feed: Feed) -> None:
        """Tell every listener of the feed. Never raises: a listener's defect is logged."""
        for listener in tuple(self._listeners):
            try:
                listener(feed)
            except Exception as defect:  # noqa: BLE001 - what one cannot hear is news to the others
                self._defects.tell(f"listener {getattr(listener, '__qualname__', '')}", defect)
