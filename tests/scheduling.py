"""How the tests are dealt out to the workers."""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]


class ForgetfulScheduling(LoadGroupScheduling):  # type: ignore[misc] # xdist has no types
    """xdist's scheduling by groups, which forgets a group that has been run.

    xdist 3.8 keeps each for good, and goes through all of them after every test: for ten thousand tests that
    are tens of millions of steps of the one process that all workers wait for.
    """

    def mark_test_complete(self, node: object, item_index: int, duration: float = 0) -> None:
        """Note that the test has ended."""
        super().mark_test_complete(node, item_index, duration)
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(self.assigned_work[node][scope].values()):
            del self.assigned_work[node][scope]
