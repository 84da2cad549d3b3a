from broker.core.log_buffer import LINE_CHARS_MAX, LINES_MAX, LogBuffer


def test_only_the_last_lines_are_remembered_and_their_numbers_go_on() -> None:
    recollection = LogBuffer()

    for number in range(1, LINES_MAX + 11):
        recollection.add(f"line {number}")

    lines, last = recollection.after(0)
    assert (len(lines), lines[0], lines[-1]) == (LINES_MAX, "line 11", f"line {LINES_MAX + 10}")
    assert last == LINES_MAX + 10
    assert recollection.after(last - 2) == ([f"line {last - 1}", f"line {last}"], last)


def test_number_of_another_daemons_line_tells_nothing_new() -> None:
    recollection = LogBuffer()
    recollection.add("one")

    assert recollection.after(99) == ([], 1)


def test_traceback_is_several_lines_and_an_endless_line_is_cut() -> None:
    recollection = LogBuffer()

    recollection.add("first\nsecond\n" + "x" * LINE_CHARS_MAX * 2)

    assert recollection.after(0) == (["first", "second", "x" * LINE_CHARS_MAX], 3)
