from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.host.subuid import FRESH_S, SubuidRanges

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
alice:100000:65536
root:1000000:1000000000
bob:165536:65536
1003:300000:10
1003:300005:20
broken
worse:x:y
"""


class Clock:
    s = 7.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def subordinates(tmp_path: Path, clock: Clock) -> SubuidRanges:
    (tmp_path / "subuid").write_text(TEXT)
    return SubuidRanges(tmp_path / "subuid", clock)


@pytest.mark.parametrize(
    ("uid", "account"),
    [
        (1001, 1001),
        (99_999, 99_999),
        (100_000, 100_000),
        (165_535, 100_000),
        (165_536, 165_536),
        (231_071, 165_536),
        (231_072, 231_072),
        (300_024, 300_000),
        (300_025, 300_025),
        (2_000_000, 2_000_000),  # a directory's user, where the machine's own containers have a wide range
    ],
)
def test_all_numbers_of_a_users_range_are_one_account(
    subordinates: SubuidRanges, uid: int, account: int
) -> None:
    assert subordinates.account_of(uid) == account


def test_a_range_that_is_given_later_counts_a_second_later(
    subordinates: SubuidRanges, tmp_path: Path, clock: Clock
) -> None:
    before = subordinates.account_of(400_007)
    (tmp_path / "subuid").write_text(f"{TEXT}carol:400000:65536\n")
    at_once = subordinates.account_of(400_007)
    clock.s += FRESH_S

    assert (before, at_once, subordinates.account_of(400_007)) == (400_007, 400_007, 400_000)


def test_without_the_file_every_uid_is_its_own(
    subordinates: SubuidRanges, tmp_path: Path, clock: Clock
) -> None:
    before = subordinates.account_of(100_007)
    (tmp_path / "subuid").unlink()
    clock.s += FRESH_S

    assert (before, subordinates.account_of(100_007)) == (100_000, 100_007)
