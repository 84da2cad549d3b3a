"""What the user is told when the command has ended: hosts that were refused, why a credential was missing."""

from collections import Counter

LINES_MAX = 20
CHARACTERS_MAX = 500


class RunReport:
    """Lines without secrets; as many as a person reads."""

    def __init__(self) -> None:
        self._refused: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def refused(self, endpoint: str) -> None:
        """A host that the command may not reach was asked for."""
        if endpoint in self._refused or len(self._refused) < LINES_MAX:
            self._refused[endpoint] += 1

    def failed(self, line: str) -> None:
        """A request for a feed did not go on."""
        if line in self._failures or len(self._failures) < LINES_MAX:
            self._failures[line] += 1

    @property
    def refusals(self) -> list[str]:
        """A line for each refused host, in the order of the first request."""
        return [f"refused {each}, {_times(count)}" for each, count in self._refused.items()]

    @property
    def failures(self) -> list[str]:
        """A line for each reason, in the order of its first time."""
        return [line[:CHARACTERS_MAX] for line in self._failures]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
