"""What the tables and the chart say of given times; no time is asserted here."""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import chart, lookup
from bench.servers import constant
from bench.serving import Load
from bench.sheet import RESULTS, Aim, Sheet, keep, ratio, short
from bench.whole_process import Command, Times, measure, once

TIMES = "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"


def taken(name: str, *seconds: float) -> Times:
    return Times(Command(name, [name], {}), list(seconds))


def test_ratio_is_a_median_and_its_quartiles_in_the_unit() -> None:
    assert ratio([2.0, 4.0, 6.0, 8.0, 10.0], 2.0) == (1.5, 3.0, 4.5)


def test_one_sample_is_all_three() -> None:
    assert ratio([3.0], 1.0) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.000271, "0.000271"), (0.8774, "0.877"), (1.0, "1.00"), (33.049, "33.05"), (1710.4, "1,710")],
)
def test_number_has_the_digits_that_say_something(number: float, text: str) -> None:
    assert short(number) == text


def test_aim_is_met_up_to_its_bound() -> None:
    assert Aim("a : b", 1.1, 1.1).is_met
    assert not Aim("a : b", 1.101, 1.1).is_met


def test_sheet_is_a_table_with_its_aims() -> None:
    made = Sheet(
        "Title", ("what", "ratio"), [("a", "1.00"), ("long name", "2")], [Aim("a : b", 2, 1)], ["Note."]
    )

    assert str(made).splitlines() == [
        "## Title",
        "",
        "Note.",
        "",
        "| what      | ratio |",
        "|:----------|------:|",
        "| a         |  1.00 |",
        "| long name |     2 |",
        "",
        "| aim   | ratio | at most |            |",
        "|:------|------:|--------:|-----------:|",
        "| a : b |  2.00 |    1.00 | **missed** |",
    ]


def test_sheet_takes_the_place_of_the_one_with_its_title(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    for note in ("first", "second", "third", "fourth"):
        keep(Sheet("One" if note in ("first", "third") else note, notes=[note]), results)

    _, *parts = results.read_text().split("\n## ")

    assert parts == ["One\n\nthird\n", "second\n\nsecond\n", "fourth\n\nfourth\n"]


def test_aims_are_of_what_was_measured() -> None:
    empty, native, pure = "empty static program (cc)", "native shim (cc)", "Python shim"

    made = lookup.report([taken(empty, 1.0), taken(native, 1.5), taken(pure, 9.0)], [])

    assert made.aims == [(f"{native} : {empty}", 1.5, 1.8)]
    assert [name for name, *_ in made.rows] == [empty, native, pure]


def test_time_above_the_floor_is_told_by_part() -> None:
    musl = "native shim (musl-gcc)"

    made = lookup.report(
        [
            taken("empty static program (cc)", 1.0),
            taken(lookup.FLOOR, 1.0),
            taken(f"{musl} at a server in C", 1.5),
            taken(musl, 3.0),
        ],
        [],
    )

    assert [note.partition(" is the daemon's")[0] for note in made.notes] == [
        f"Of what the {musl} takes above the floor, 75%"
    ]


def test_chart_has_a_bar_for_each_that_answers_and_the_longest_for_the_slowest() -> None:
    seconds = {"empty static program (cc)": 1.0, "keyring <x>": 500.0, "native shim (cc)": 1.5, "git": 3.0}

    picture = ET.fromstring(chart.of(seconds))  # noqa: S314 - made two lines above
    bars = picture.findall(f"{SVG}rect")
    words = [each.text for each in picture.findall(f"{SVG}text")][1:]

    assert words == [
        "native shim (cc)",
        f"1.00 {TIMES}",
        "git",
        f"2.00 {TIMES}",
        "keyring <x>",
        f"333 {TIMES}",
    ]
    assert [bar.get("class") for bar in bars] == ["ours", "bar", "bar"]
    widths = [float(bar.get("width", "")) for bar in bars]
    assert widths == sorted(widths)
    assert max(float(bar.get("x", "")) for bar in bars) + widths[-1] < float(picture.get("width", ""))


def test_committed_chart_is_of_the_committed_results() -> None:
    rows = [line.split("|")[1].strip() for line in RESULTS.read_text().splitlines() if line.startswith("| ")]
    words = [each.text for each in ET.parse(lookup.CHART).findall(f"{SVG}text")][1::2]  # noqa: S314 - our own

    assert words
    assert set(words) <= set(rows)


def test_command_that_fails_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="ended with 3 instead of 0"):
        once(Command("broken", [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ)))


def test_slow_command_is_timed_seldom() -> None:
    commands = [Command("fast", ["/bin/true"], {}), Command("slow", ["/bin/true"], {}, every=3)]

    assert [len(each.seconds) for each in measure(commands, 7)] == [7, 3]


def test_callers_are_all_answered_and_the_slowest_is_the_last_figure(tmp_path: Path) -> None:
    with constant(tmp_path) as server:
        _, middle, high, longest = Load(tmp_path)(server, 8, 200)

    assert 0 < middle <= high <= longest
