from __future__ import annotations

import tomllib
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.ctl.add.feed_tables import with_feed, without_feed
from broker.ctl.command_error import CommandError

TEXT = dedent("""\
    # My feeds.

    ttl = "40m" # shorter than usual

    # the main one
    [[feed]]
    name = "corp"
    url = "https://corp.example.com/"   # not the old one
    # auth = ["env"]

    # only for the lab: ask Bob
    [[feed]]
    name = "labs"
    url = "https://labs.example.com/"
    [feed.allow]
    users = ["bob"]

    [env]
    HTTPS_PROXY = "http://proxy:3128"
    """)


def test_added_feed_comes_last_and_nothing_else_changes() -> None:
    keys = {
        "name": "new",
        "url": "https://new.example.com/",
        "also": ["https://a/", "https://b/"],
        "verify": False,
    }

    edited = with_feed(TEXT, keys)

    assert edited == TEXT + dedent("""
        [[feed]]
        name = "new"
        url = "https://new.example.com/"
        also = ["https://a/", "https://b/"]
        verify = false
        """)


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment", 'ttl = "1m"', "ttl = '1m'\r\n", "[env]\nA = 'b'\n\n\n"]
)
def test_feed_can_be_added_to_any_file(text: str) -> None:
    edited = with_feed(text, {"name": "new", "url": "https://new.example.com/"})

    assert tomllib.loads(edited) == {
        **tomllib.loads(text),
        "feed": [{"name": "new", "url": "https://new.example.com/"}],
    }


def test_line_ends_stay_what_they_are() -> None:
    edited = with_feed('ttl = "1m"\r\n', {"name": "new"})

    assert edited == 'ttl = "1m"\r\n\r\n[[feed]]\r\nname = "new"\r\n'


def test_removed_feed_takes_its_own_comments_along_and_leaves_the_others() -> None:
    assert without_feed(TEXT, 0) == dedent("""\
        # My feeds.

        ttl = "40m" # shorter than usual

        # only for the lab: ask Bob
        [[feed]]
        name = "labs"
        url = "https://labs.example.com/"
        [feed.allow]
        users = ["bob"]

        [env]
        HTTPS_PROXY = "http://proxy:3128"
        """)


def test_removed_feed_takes_its_sub_tables_along() -> None:
    assert without_feed(TEXT, 1) == dedent("""\
        # My feeds.

        ttl = "40m" # shorter than usual

        # the main one
        [[feed]]
        name = "corp"
        url = "https://corp.example.com/"   # not the old one
        # auth = ["env"]

        [env]
        HTTPS_PROXY = "http://proxy:3128"
        """)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('[[feed]]\nname = "a"\n', ""),
        ('# file\n[[feed]]\nname = "a"\n', "# file\n"),
        ('# file\n\n[[feed]]\nname = "a"\n', "# file\n"),
        ('[[feed]]\nname = "a"\n\n# later\n', "# later\n"),
        ('[[feed]]\nname = "a"\n# its own\n', ""),
        ('[[ "feed" ]]\nname = "a"\n[env]\n', "[env]\n"),
        ('[[feed]]\nname = "a"\n[[feed.more]]\nx = 1\n[feed.more.still]\ny = 1\n', ""),
        ('[[feed]]\nname = """\n[[feed]]\n# no\n\n[env]\n"""\nalso = [\n["x"],\n]\n[env]\n', "[env]\n"),
        ('[[feed]]\r\nname = "a"\r\n\r\n[env]\r\n', "[env]\r\n"),
    ],
)
def test_only_feed_is_removed_whatever_surrounds_it(text: str, left: str) -> None:
    assert without_feed(text, 0) == left


@pytest.mark.parametrize("text", ['feed = [{name = "a"}]\n', "feed = [\n{name = 'a'},\n]\n"])
def test_inline_feeds_are_left_to_their_author(text: str) -> None:
    with pytest.raises(CommandError, match="by hand"):
        without_feed(text, 0)
    with pytest.raises(CommandError, match="by hand"):
        with_feed(text, {"name": "b"})


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
LAYOUT = st.lists(
    st.sampled_from(
        [
            "\n",
            "# comment\n",
            "[[feed]]\nname = 'x'\n",
            "[[feed]]\n# within\nname = '''\n[[feed]]\n'''\n\n",
            "[[feed]]\n[feed.allow]\nusers = [\n  # who\n  'bob',\n]\n",
            "  [[feed]] # indented\n  name = 'y'\n",
        ]
    ),
    max_size=8,
)


@given(
    LAYOUT, st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), PLAIN | st.booleans(), min_size=1)
)
def test_removing_what_was_added_gives_the_same_feeds(pieces: list[str], keys: dict[str, str | bool]) -> None:
    text = "".join(pieces)
    number = len(tomllib.loads(text).get("feed", []))

    again = without_feed(with_feed(text, keys), number)

    assert tomllib.loads(again) == tomllib.loads(text)


@given(LAYOUT, st.data())
def test_any_feed_can_be_removed_and_no_comment_of_another_is_lost(
    pieces: list[str], data: st.DataObject
) -> None:
    text = "".join([*pieces, "[[feed]]\n# the last one's\nname = 'last'\n", "\n# at the end\n"])
    feeds = tomllib.loads(text)["feed"]
    number = data.draw(st.integers(0, len(feeds) - 1))

    left = without_feed(text, number)

    assert tomllib.loads(left).get("feed", []) == feeds[:number] + feeds[number + 1 :]
    assert left.endswith("# at the end\n")
    assert ("# the last one's" in left) is (number < len(feeds) - 1)
