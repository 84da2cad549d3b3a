from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from broker.ctl.status.record import broker_status
from broker.ctl.status.screen import status_screen
from broker.ctl.status.short_line import status_line
from tests.ctl.found_feeds import NOW, at, broker, empty_handed, feed, house

GOLDEN = Path(__file__).parent / "golden"

TROUBLED = broker(
    feed("corp", state="due", left_s=290),
    feed("slow", state="failing", left_s=700, error="vssps.dev.azure.com cannot be reached"),
    empty_handed("new", "empty"),
    empty_handed("down", "failing", since=at(-90000), error="vssps.dev.azure.com cannot be reached"),
    empty_handed(
        "denied", "refused", since=at(-60), error="dev@acme.com has no right to read this feed (403)"
    ),
    empty_handed("late", "expired"),
)


@pytest.mark.parametrize(
    ("name", "status", "width"),
    [
        ("house-piped", house(), None),
        ("house-85", house(), 85),
        ("healthy-75", broker(feed("corp"), feed("tools", shares="corp", lookups=0)), 75),
        ("house-70", house(), 70),
        ("house-40", house(), 40),
        ("troubled", TROUBLED, 120),
        ("nothing", broker(), 80),
        ("broken-configuration", broker(error="config.toml, line 3: unknown key tll, did you mean ttl?"), 80),
    ],
)
def test_screen_is_the_golden_one(name: str, status: dict[str, Any], width: int | None) -> None:
    drawn = drawing(status, width)

    assert drawn == (GOLDEN / f"{name}.txt").read_text()


def test_screen_fits_the_terminal_whatever_its_width() -> None:
    for width in range(30, 130):
        table = [line for line in drawing(house(), width).splitlines() if line.startswith(" ")][:6]

        assert max(len(line) for line in table) <= width


def test_feed_names_and_states_are_never_cut() -> None:
    name = "a-rather-long-name-of-a-feed-that-someone-chose"
    down = empty_handed(name, "failing", since=at(-90000))

    for width in range(30, 130):
        table = drawing(broker(feed("corp"), down), width).partition("\n\n")[2].partition("\n\n")[0]
        first_column = "".join(line[1:].partition("  ")[0] for line in table.splitlines())

        assert first_column == f"feedcorp{name}"
        assert [word for word in ("cannot", "fetched", "2026-11-20", "08:45") if word not in table] == []


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_line_to_type_begins_in_the_terminals_first_columns_where_it_is_long(width: int) -> None:
    hint = "az login --tenant 22222222-2222-2222-2222-222222222222"
    feeds = [empty_handed(f"feed-number-{n}", "sign-in-needed", error="expired", hint=hint) for n in range(6)]
    hidden = ("/opt/env/bin/keyring is the first keyring on PATH, not the shim", "brokerctl setup")

    lines = drawing(broker(*feeds), width, tool_version="1.1.0", shim_hidden=hidden).splitlines()

    assert f"      {hint}" in lines
    assert [line.strip() for line in lines if "brokerctl setup" in line] in (
        ["brokerctl setup"],
        [f"{hidden[0]}: {hidden[1]}"],
    )
    assert max(len(line) for line in lines if "az login" not in line) <= width


def test_what_is_longer_than_a_line_is_not_cut_off_where_the_screen_is_redrawn_in_place() -> None:
    hint = "az login --tenant 22222222-2222-2222-2222-222222222222 --scope 499b84ac-1321/.default"
    status = broker(empty_handed("labs", "sign-in-needed", error="expired", hint=hint))
    console = Console(file=io.StringIO(), width=60)

    screen = status_screen(broker_status(status), now=NOW, width=60, is_live=True)
    lines = console.render_lines(screen, pad=False)

    shown = "".join(segment.text for line in lines for segment in line)
    assert hint.replace(" ", "") in shown.replace(" ", "")


def test_paths_in_messages_are_not_broken() -> None:
    path = "/home/dev/a-folder-with-hyphens/and-another-one/secrets/internal"

    assert path in drawing(broker(empty_handed("a", "sign-in-needed", error=f"{path} does not exist")), 40)


def test_piped_screen_has_no_escape_sequence() -> None:
    assert "\x1b" not in drawing(house(), None)


def test_another_version_of_the_daemon_is_pointed_out_with_its_cure() -> None:
    drawn = drawing(broker(feed("corp")), 80, tool_version="1.1.0")

    assert drawn.endswith("\nthe daemon is 1.0.0, this brokerctl is 1.1.0: brokerctl restart\n")


def test_keyring_that_is_not_ours_is_pointed_out_with_its_cure() -> None:
    hidden = ("/usr/bin/keyring is the first keyring on PATH, not the shim", "brokerctl setup")

    drawn = drawing(broker(feed("corp")), 80, shim_hidden=hidden)

    assert drawn.endswith(f"\n{hidden[0]}: brokerctl setup\n")


def test_same_version_is_not_worth_a_word() -> None:
    assert drawing(house(), 80, tool_version="1.0.0") == drawing(house(), 80)


def test_one_cure_for_two_feeds_is_said_once() -> None:
    same = {"error": "sign-in expired", "hint": "az login"}
    drawn = drawing(
        broker(
            empty_handed("corp", "sign-in-needed", **same), empty_handed("tools", "sign-in-needed", **same)
        ),
        80,
    )

    assert drawn.endswith("\ncorp, tools: sign-in expired\n             az login\n")


def test_secret_that_ends_soon_is_warned_of() -> None:
    warned = feed("corp", warning="the secret from file:~/x ends on 2026-11-27: put another into file:~/x")

    assert drawing(broker(warned), 80).endswith(
        "\ncorp: the secret from file:~/x ends on 2026-11-27: put another into file:~/x\n"
    )


def test_command_to_type_is_never_wrapped() -> None:
    command = "az login --tenant 22222222-2222-2222-2222-222222222222"

    assert command in drawing(house(), 40)


def test_state_of_a_newer_daemon_is_shown_as_it_came() -> None:
    assert "resting since 09:26" in drawing(broker(empty_handed("corp", "resting", since=at(-1140))), 80)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (house(), "feeds 4/5 !labs"),
        (broker(), "feeds 0/0"),
        (broker(feed("a"), feed("b")), "feeds 2/2"),
        (broker(empty_handed("new", "empty")), "feeds 0/1"),
        (broker(feed("a", state="sign-in-needed")), "feeds 1/1 !a"),
        (broker(feed("a", state="failing")), "feeds 1/1"),
        (broker(empty_handed("a", "failing"), empty_handed("b", "refused")), "feeds 0/2 !a !b"),
        (broker(error="line 3"), "feeds 0/0 !configuration"),
    ],
)
def test_line_for_prompts_names_who_cannot_answer(status: dict[str, Any], line: str) -> None:
    assert status_line(status) == line


def drawing(
    status: dict[str, Any],
    width: int | None,
    *,
    tool_version: str | None = None,
    shim_hidden: tuple[str, str] | None = None,
) -> str:
    """What a terminal of that width would show, without blanks at the ends of lines."""
    file = io.StringIO()
    console = Console(file=file, width=width or 200, highlight=False)
    screen = status_screen(
        broker_status(status), now=NOW, width=width, tool_version=tool_version, shim_hidden=shim_hidden
    )
    console.print(screen, crop=False)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
