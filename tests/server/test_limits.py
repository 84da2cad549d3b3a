import subprocess
import sys

import pytest

from broker.server.limits import CONNECTIONS_MAX, FDS_ENOUGH, FDS_KEPT, Limits

RAISE = """
import resource, sys
from broker.server.limits import raise_fd_limit
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_fd_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("fds", "connections"),
    [
        (2, 1),
        (64, 32),
        (128, 64),
        (256, 256 - FDS_KEPT),
        (CONNECTIONS_MAX + FDS_KEPT, CONNECTIONS_MAX),
        (1_000_000, CONNECTIONS_MAX),
    ],
)
def test_connections_leave_descriptors_for_the_rest(fds: int, connections: int) -> None:
    assert Limits.for_fds(fds).connections == connections


def test_no_user_of_the_system_broker_may_take_its_places_or_its_time() -> None:
    limits = Limits.for_fds(1_000_000, shared=True)

    assert (limits.per_user, limits.per_user_s) == (64, 50)
    assert limits.connections >= 64 * 64


@pytest.mark.parametrize(
    ("soft", "hard", "then"), [(100, 200, 200), (200, 200, 200), (100, FDS_ENOUGH + 1, FDS_ENOUGH)]
)
def test_the_limit_of_open_files_is_raised_as_far_as_is_useful(soft: int, hard: int, then: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", RAISE, str(soft), str(hard)], capture_output=True, text=True, check=True
    )

    assert run.stdout.split() == [str(then), str(then), str(hard)]
