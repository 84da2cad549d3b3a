"""What `--against` says of given times, and which source trees it takes."""

from pathlib import Path

import pytest

from bench import against, programs
from bench.against import BEFORE, CONTROL, NOW, Round


def test_each_round_is_in_what_the_other_tree_took_in_it() -> None:
    quiet, noisy = Round(1.0, 2.0, 4.0), Round(10.0, 20.0, 40.0)

    made = against.report(
        "v1",
        {
            BEFORE: [quiet, noisy],
            CONTROL: [Round(1.1, 2.0, 4.0), Round(11.0, 20.0, 40.0)],
            NOW: [Round(0.5, 3.0, 4.0), Round(5.0, 30.0, 40.0)],
        },
    )

    assert [(name, *(cell.split(" ")[0] for cell in cells)) for name, *cells in made.rows] == [
        (BEFORE, "1.00", "1.00", "1.00", "2"),
        (CONTROL, "1.10", "1.00", "1.00", "2"),
        (NOW, "0.5", "1.50", "1.00", "2"),
    ]
    assert [(aim.most, aim.is_met) for aim in made.aims] == [(1.1, True), (1.0, False), (1.0, True)]


def test_tree_is_a_folder_or_a_revision(tmp_path: Path) -> None:
    unpacked = against.source_tree("HEAD", tmp_path)

    assert (unpacked / "broker" / "daemon" / "main.py").is_file()
    assert against.source_tree(str(programs.TREE), tmp_path) == programs.TREE


@pytest.mark.parametrize("tree", ["no-such-revision", "--output=x", "/"])
def test_what_is_no_tree_is_refused(tree: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tree} is neither"):
        against.source_tree(tree, tmp_path)

    assert not list(tmp_path.iterdir())
