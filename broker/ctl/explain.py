"""`brokerctl explain`: one look-up, a line for each step, and what to type where it fails."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Annotated

import token_broker_client as client
import typer

from broker.core.failures import LOOK_ROUND
from broker.core.urls import printable
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.feed_address import address_of
from broker.ctl.hints import other_than
from broker.ctl.ui.layout import broken
from broker.ctl.ui.terminal import cells

LABEL_CELLS = 15
"""Margin, the longest step's name, and a gap."""

WIDTH_MAX = 110
"""Beyond this a line is hard to follow with the eye."""

BETWEEN = " · "
MARKS = {True: " ✓", False: " ✗", None: ""}

FAILED = "failed"
YOUR_TURN = "your turn"
HINT = "hint"
"""The steps that `POST /v1/explain` ends with when there is no credential."""

ENDS = {FAILED: ExitCode.CANNOT_BE_HAD, YOUR_TURN: ExitCode.NEEDS_A_PERSON}


def explain(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The feed's URL or name, or the URL of a file in it.")
    ],
    username: Annotated[
        str | None, typer.Option(metavar="NAME", help="The user name the client will send.")
    ] = None,
) -> None:
    """Look a feed's credential up anew, and show each step.

    Exit code: 0 found, 1 it cannot be had, 3 the broker is not running, 4 a person must sign in.
    """
    url = address_of(url)
    query = {"url": url} if username is None else {"url": url, "username": username}
    ended = ExitCode.FINE
    with api_client.steps("/v1/explain", query, socket=_socket_for(query)) as steps:
        typer.echo(printable(url) or "an address that is none")
        for line, step in screen(steps, width()):
            typer.echo(line)
            ended = ENDS.get(step, ended)
    raise typer.Exit(ended)


def _socket_for(query: dict[str, str]) -> str | None:
    """The system broker's socket where its answer counts, else None for the user's own, running or not.

    A feed that the user's broker only learned from its address, and has no sign-in for, does not count as its
    own.
    """
    try:
        api_client.read("/v1/match", query, socket=client.SYSTEM_SOCKET)
    except api_client.RefusedError as refusal:
        if refusal.kind == api_client.NO_FEED:
            return None
    except CommandError:
        return None
    try:
        if api_client.read("/v1/match", query).get("configured") is False:
            api_client.read("/v1/credential", query, patience_s=api_client.FETCH_PATIENCE_S)
    except api_client.BrokerNotRunningError:
        return client.SYSTEM_SOCKET
    except api_client.RefusedError as refusal:
        return client.SYSTEM_SOCKET if refusal.kind == api_client.NO_FEED else None
    return None


def screen(steps: Iterable[api_client.Json], cells: int) -> Iterator[tuple[str, str]]:
    """The lines for a terminal of that many cells, each with the name of its step, as soon as they are known.

    Steps of one name share a line where they fit. A hint is never broken: commands are copied from it.
    """
    for name, same in groupby(steps, key=lambda step: str(step.get("step", ""))):
        if name == HINT:
            for step in same:
                yield f"{'':{LABEL_CELLS}}{_next(str(step.get('text', '')))}", name
            continue
        label = f"  {name}"
        texts = [f"{step.get('text', '')}{MARKS.get(step.get('good'), '')}" for step in same]
        for line in _lines(texts, cells - LABEL_CELLS):
            yield f"{label:{LABEL_CELLS}}{line}", name
            label = ""


def _next(hint: str) -> str | None:
    """The hint; where that is to look round, a page for a colleague: the doctor would lead back to here."""
    return "brokerctl doctor --report" if hint == LOOK_ROUND else other_than(hint, "explain")


def width() -> int:
    """The cells of a line: the terminal's, or all that a pipe may have."""
    return min(WIDTH_MAX, cells() or WIDTH_MAX)


def _lines(texts: list[str], cells: int) -> list[str]:
    """The texts, and what they list, side by side as far as they fit; what is too long is broken."""
    lines: list[str] = []
    parts = [part for text in texts for part in text.split(BETWEEN)]
    for text in (line for part in parts for line in broken(part, cells)):
        if lines and len(lines[-1]) + len(BETWEEN) + len(text) <= cells:
            lines[-1] += BETWEEN + text
        else:
            lines.append(text)
    return lines
