"""`brokerctl refresh`, `forget` and `reload`: orders to the running daemon."""

from typing import Annotated

import typer

from broker.core.status import FeedStatus
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.status.record import broker_status, feed_status
from broker.ctl.ui.humanize import duration


def refresh(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A feed; without it, all of them.")
    ] = None,
) -> None:
    """Fetch a new token now, and wait for it."""
    if name is not None:
        typer.echo(_refreshed(name))
        return
    seen = broker_status(
        api_client.ask_either_broker(lambda socket: api_client.read("/v1/status", socket=socket))
    )
    worst = ExitCode.FINE
    for feed in seen.feeds:
        if feed.shares is not None:
            continue  # one fetch serves all that share the credential
        try:
            typer.echo(_refreshed(feed.name))
        except api_client.RefusedError as refusal:
            typer.echo(f"token-broker: {refusal.line}", err=True)
            worst = max(worst, refusal.exit_code)
    if not seen.feeds and seen.error is not None:
        raise CommandError(seen.error, hint=seen.hint)
    if not seen.feeds:
        typer.echo("there are no feeds yet")
    raise typer.Exit(worst)


def forget(name: Annotated[str, typer.Argument(metavar="NAME", help="The feed.")]) -> None:
    """Drop a feed's token.

    The next look-up fetches a new one: for a token that was revoked, say.
    """
    api_client.ask_either_broker(
        lambda socket: api_client.order(api_client.feed_path(name, "forget"), socket=socket)
    )
    typer.echo(f"{name}: token dropped; the next look-up fetches a new one")


def reload() -> None:
    """Read the configuration again.

    Feeds that did not change keep their tokens. A broken file changes nothing: what it says is printed.
    """
    feeds = api_client.ask_either_broker(lambda socket: api_client.order("/v1/reload", socket=socket)).get(
        "feeds", []
    )
    typer.echo(f"configuration read: {', '.join(feeds) if feeds else 'no feeds yet'}")
    from broker.ctl.setup.sandbox_refresh import renew_sandbox  # noqa: PLC0415 - loads half of setup

    renewed = renew_sandbox()
    if renewed is not None:
        typer.echo(renewed)


def _refreshed(name: str) -> str:
    path = api_client.feed_path(name, "refresh")
    found = api_client.ask_either_broker(
        lambda socket: api_client.order(path, patience_s=api_client.FETCH_PATIENCE_S, socket=socket)
    )
    try:
        feed: FeedStatus = feed_status(found)
    except (KeyError, TypeError, ValueError):
        raise CommandError("the broker's answer was not understood", hint="brokerctl restart") from None
    life = "with no expiry" if feed.left_s is None else f"for {duration(feed.left_s)}"
    return f"{feed.name}: new token {life}"
