"""`brokerctl refresh`, `forget` and `reload`: orders to the running daemon."""

from typing import Annotated

import typer

from broker.core.status import FeedStatus
from broker.ctl import wire
from broker.ctl.outcome import ExitCode, Trouble
from broker.ctl.record import broker_status, feed_status
from broker.ctl.setup.renewal import renew_sandbox
from broker.ctl.words import duration


def refresh(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A feed; without it, all of them.")
    ] = None,
) -> None:
    """Fetch a new token now, and wait for it."""
    if name is not None:
        typer.echo(_refreshed(name))
        return
    seen = broker_status(wire.whoever_knows(lambda socket: wire.read("/v1/status", socket=socket)))
    worst = ExitCode.FINE
    for feed in seen.feeds:
        if feed.shares is not None:
            continue  # one fetch serves all that share the credential
        try:
            typer.echo(_refreshed(feed.name))
        except wire.Refusal as refusal:
            typer.echo(f"token-broker: {refusal.line}", err=True)
            worst = max(worst, refusal.exit_code)
    if not seen.feeds:
        typer.echo("there are no feeds yet")
    raise typer.Exit(worst)


def forget(name: Annotated[str, typer.Argument(metavar="NAME", help="The feed.")]) -> None:
    """Drop a feed's token.

    The next look-up fetches a new one: for a token that was revoked, say.
    """
    wire.whoever_knows(lambda socket: wire.order(wire.feed_path(name, "forget"), socket=socket))
    typer.echo(f"{name}: token dropped; the next look-up fetches a new one")


def reload() -> None:
    """Read the configuration again.

    Feeds that did not change keep their tokens. A broken file changes nothing: what it says is printed.
    """
    feeds = wire.whoever_knows(lambda socket: wire.order("/v1/reload", socket=socket)).get("feeds", [])
    typer.echo(f"configuration read: {', '.join(feeds) if feeds else 'no feeds yet'}")
    renewed = renew_sandbox()
    if renewed is not None:
        typer.echo(renewed)


def _refreshed(name: str) -> str:
    path = wire.feed_path(name, "refresh")
    found = wire.whoever_knows(
        lambda socket: wire.order(path, patience_s=wire.FETCH_PATIENCE_S, socket=socket)
    )
    try:
        feed: FeedStatus = feed_status(found)
    except (KeyError, TypeError, ValueError):
        raise Trouble("the broker's answer was not understood", hint="brokerctl restart") from None
    life = "with no expiry" if feed.left_s is None else f"for {duration(feed.left_s)}"
    return f"{feed.name}: new token {life}"
