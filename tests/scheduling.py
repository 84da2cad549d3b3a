"""How the tests are dealt out to the workers."""

from __future__ import annotations

import itertools
from functools import cached_property

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

NEIGHBOURS_MAX = 8


class NeighbourScheduling(LoadGroupScheduling):  # type: ignore[misc] # xdist has no types
    """xdist's scheduling by groups, with each few neighbours of a file as one more group.

    One by one they would go to all workers, each of which would make what the file's tests share, and each
    would be asked for by a message of its own. Named groups come first: they take longest.

    xdist 3.8 keeps each group for good, and goes through all of them after every test: this forgets one that
    has been run.
    """

    def schedule(self) -> None:
        """Deal out the first groups, and put the others into order; later: deal out more."""
        is_first = self.collection is None
        super().schedule()
        if is_first:
            of_neighbours = set(self._neighbours.values())
            for scope in [each for each in self.workqueue if each not in of_neighbours]:
                self.workqueue.move_to_end(scope, last=False)

    def mark_test_complete(self, node: object, item_index: int, duration: float = 0) -> None:
        """Note that the test has ended."""
        super().mark_test_complete(node, item_index, duration)
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(self.assigned_work[node][scope].values()):
            del self.assigned_work[node][scope]

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return self._neighbours.get(nodeid, scope)

    @cached_property
    def _neighbours(self) -> dict[str, str]:
        """The group of each test that has none of its own."""
        alone = [
            each for each in self.collection if super(NeighbourScheduling, self)._split_scope(each) == each
        ]
        groups = {}
        for file, tests in itertools.groupby(alone, lambda nodeid: nodeid.partition("::")[0]):
            for number, nodeid in enumerate(tests):
                groups[nodeid] = f"{file} {number // NEIGHBOURS_MAX}"
        return groups
