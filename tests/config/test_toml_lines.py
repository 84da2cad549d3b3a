"""Where a key stands in a TOML text."""

import pytest

from broker.config.toml_lines import deepest_line, heads_of_feeds, line_of, lines_of

TEXT = """\
ttl = "1h"

[env]
PATH = "x"
 'https.proxy' = "y"

[[feed]]
url = "a"
urls = "name = 1"

  [[ feed ]]
"name" = "b"
url = "b"
allow.users = ["c"]
[feed.more]
url = "d"

[[feed]]
url = "e"
secret = "netrc"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("ttl",), 1),
        (("env",), 3),
        (("env", "PATH"), 4),
        (("env", "https.proxy"), 5),
        (("env", "HTTPS?PROXY"), 3),
        (("feed",), 7),
        (("feed", 0), 7),
        (("feed", 0, "url"), 8),
        (("feed", 0, "name"), 7),
        (("feed", 1), 11),
        (("feed", 1, "name"), 12),
        (("feed", 1, "url"), 13),
        (("feed", 1, "allow", "users"), 14),
        (("feed", 1, "allow", 0), 14),
        (("feed", 1, "more"), 11),
        (("feed", 1, "name", "more"), 12),
        (("feed", 2, "url"), 19),
        (("feed", 2, "name"), 18),
        (("feed", 1, "secret"), 11),
        (("feed", 3, "url"), 8),
        (("feed", 3, "nothing"), 1),
        (("feed", "url"), 7),
        (("nothing",), 1),
    ],
)
def test_a_keys_line_is_found_or_that_of_its_table(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


OTHER_BREAKS = {
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\x85",
}
"""Line breaks to Python's str.splitlines, and to no editor and no TOML (1.0, "Newline")."""


@pytest.mark.parametrize("name", OTHER_BREAKS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_the_ends_of_tomls_own_lines_are_counted(name: str, end: str) -> None:
    text = end.join((f"# a{OTHER_BREAKS[name]}b", "", "[[feed]]", '\tname = "a"', "\tnope = 1", ""))

    assert line_of(text, ("feed", 0, "nope")) == 5
    assert heads_of_feeds(lines_of(text)) == [3]
    assert deepest_line(text) == 3


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("a\n", 1), ("a\r\nb", 2), ("a\n\n", 2)])
def test_the_end_of_the_last_line_begins_no_other(text: str, count: int) -> None:
    assert len(lines_of(text)) == count


def test_a_feeds_head_in_quotes_is_found() -> None:
    text = 'ttl = "5m"\n[["feed"]]\nurl = 1\n[[ \'feed\' ]]\nurl = 2\n'

    assert line_of(text, ("feed", 1, "url")) == 5
    assert heads_of_feeds(lines_of(text)) == [2, 4]
