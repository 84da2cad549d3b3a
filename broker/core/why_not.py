"""Why there is no answer: the one record of it, kept while the daemon runs and left behind when it cannot.

`WhyNot.tell` and `WhyNot.clear` are all that a part of the daemon calls. `host/why_not_file.py` writes the
record where `brokerctl doctor` finds it without a daemon.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

REASONS_MAX = 64
"""Of ten thousand feeds that one outage stops, these are enough to know it by."""

DETAIL_CHARACTERS_MAX = 500


class Topic(StrEnum):
    """What a reason is about; its `subject` says which one, where there are several."""

    START = "start"
    """The last start: brokerd ended before it served, or by a defect."""
    CONFIGURATION = "configuration"
    """The file on disk is not in force."""
    FEED = "feed"
    """A feed's last failed attempt; the subject is its name."""
    LEARNED_FEEDS = "learned-feeds"
    """The table of feeds learned by `auto` is full."""
    PROCESSES = "processes"
    """A child process could not be started; the subject is the program. All end when any can be."""
    CERTIFICATES = "certificates"
    """The certificate authorities cannot be read, or are not those in force."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what failed, since when (UTC), and a line to type. Never a secret."""

    topic: Topic
    subject: str
    detail: str
    hint: str | None
    at: datetime


class WhyNot:
    """The reasons that hold now, the latest last. `changed` is called after each change."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._reasons: dict[tuple[Topic, str], Reason] = {}

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of them."""
        return tuple(self._reasons.values())

    def tell(
        self, topic: Topic, detail: str, *, at: datetime, hint: str | None = None, subject: str = ""
    ) -> None:
        """Enter a reason in place of the one of its topic and subject; beyond REASONS_MAX the oldest goes."""
        begin = detail[: 4 * DETAIL_CHARACTERS_MAX]  # enough whatever blanks are in it, and quick to read
        line = " ".join(begin.split())[:DETAIL_CHARACTERS_MAX]
        known = self._reasons.get((topic, subject))
        if known is not None and (known.detail, known.hint) == (line, hint):
            return
        self._reasons.pop((topic, subject), None)
        self._reasons[topic, subject] = Reason(topic, subject, line, hint, at)
        if len(self._reasons) > REASONS_MAX:
            self._reasons.pop(next(iter(self._reasons)))
        self.changed()

    def clear(self, topic: Topic, subject: str = "") -> None:
        """Take a reason out that holds no longer; harmless where there is none."""
        if self._reasons.pop((topic, subject), None) is not None:
            self.changed()

    def keep(self, topic: Topic, holds: Callable[[str], bool]) -> None:
        """Take out the topic's reasons about subjects for which `holds` is false."""
        for subject in [subject for about, subject in self._reasons if about is topic]:
            if not holds(subject):
                self.clear(topic, subject)


def to_record(reasons: Iterable[Reason], socket: str) -> dict[str, object]:
    """The record as JSON values; `socket` says whose it is."""
    listed = [asdict(each) | {"at": each.at.isoformat()} for each in reasons]
    return {"socket": socket, "reasons": listed}


def from_record(found: object, socket: str) -> tuple[Reason, ...]:
    """The reasons in a record of this socket's broker; none where it is no such record."""
    match found:
        case {"socket": str(whose), "reasons": [*listed]} if whose == socket:
            reasons = tuple(map(_reason, listed[:REASONS_MAX]))
            return tuple(each for each in reasons if each is not None)
    return ()


def _reason(found: object) -> Reason | None:
    match found:
        case {
            "topic": str(topic),
            "subject": str(subject),
            "detail": str(detail),
            "hint": hint,
            "at": str(at),
        }:
            try:
                moment = datetime.fromisoformat(at)
                if moment.tzinfo is not None:
                    return Reason(
                        Topic(topic), subject, detail, hint if isinstance(hint, str) else None, moment
                    )
            except ValueError:
                return None
    return None
