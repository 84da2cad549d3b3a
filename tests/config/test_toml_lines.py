"""Where a key stands in a TOML text."""

import pytest

from broker.config.toml_lines import line_of

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
