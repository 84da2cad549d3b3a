"""What `--against` says of given times, and which source trees it takes."""

from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import against, against_verbs, programs
from bench.against import BEFORE, CONTROL, NOW, Round
from bench.verbs import AIMS, ASKS, UNIT
from bench.whole_process import Command, Times


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


def test_verb_is_in_starts_of_a_bare_python_and_this_trees_in_the_others() -> None:
    def took(name: str, *seconds: float) -> Times:
        return Times(Command(name, [], {}), list(seconds))

    made = against_verbs.report(
        "v1",
        [
            took(UNIT, 2.0),
            *(took(f"{BEFORE}: {line}", 8.0, 8.0) for line in (*AIMS, ASKS)),
            *(took(f"{NOW}: {line}", 4.0, 4.0) for line in (*AIMS, ASKS)),
        ],
        {BEFORE: [10.0, 10.0], NOW: [12.0, 12.0]},
    )

    assert {tuple(cell.split(" ")[0] for cell in cells) for _, *cells in made.rows[:-1]} == {
        ("4.00", "2.00", "2")
    }
    assert [cell.split(" (")[0] for cell in made.rows[-1]] == [against_verbs.START, "5.00", "6.00", "2"]
    assert [(aim.ratio, aim.is_met) for aim in made.aims] == [(0.5, True)] * len(made.rows[:-1]) + [
        (1.2, False)
    ]


def test_table_that_knows_one_tree_is_refused_for_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--against", "HEAD", "memory"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("error: memory has no table of two trees\n")


def test_tree_is_a_folder_or_a_revision(tmp_path: Path) -> None:
    unpacked = against.source_tree("HEAD", tmp_path)

    assert (unpacked / "broker" / "daemon" / "main.py").is_file()
    assert against.source_tree(str(programs.TREE), tmp_path) == programs.TREE


@pytest.mark.parametrize("tree", ["no-such-revision", "--output=x", "/"])
def test_what_is_no_tree_is_refused(tree: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tree} is neither"):
        against.source_tree(tree, tmp_path)

    assert not list(tmp_path.iterdir())
