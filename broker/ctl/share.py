"""`brokerctl share`: a second socket of the running broker, for some feeds and some hours, and its end."""

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from broker.core.duration import parse_duration
from broker.core.failures import BadRequest
from broker.core.share_grant import check_life, check_name
from broker.core.status import BrokerStatus, ShareStatus
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.status.record import broker_status, share_status
from broker.ctl.status.share_lines import share_line
from broker.ctl.ui.humanize import clock_time, duration
from broker.ctl.ui.local_time import local_now
from broker.ctl.ui.terminal import cells

DEFAULT_LIFE = "8h"
INSIDE = "/run/broker"
"""Where the recipes show the folder to a container. Not /run/token-broker: that is the system broker's."""


def share(
    feeds: Annotated[
        list[str] | None, typer.Option("--feed", metavar="NAME", help="A feed to share; may be repeated.")
    ] = None,
    life: Annotated[
        str, typer.Option("--for", metavar="TIME", help='How long, such as "8h"; at most 7 days.')
    ] = DEFAULT_LIFE,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The share's name; else the first feed's.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="NAME", help="End this share now, instead.")
    ] = None,
    *,
    as_list: Annotated[bool, typer.Option("--list", help="List the shares, instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the daemon's own object.")] = False,
) -> None:
    """Share feeds with a container or another machine, for some hours.

    Makes a folder with a socket that answers look-ups for these feeds and nothing else. The same command
    again renews the share; a container that has the folder mounted goes on.
    """
    if bool(feeds) + (end is not None) + as_list != 1:
        raise CommandError(
            "share takes --feed, --end or --list",
            hint="brokerctl share --help",
            exit_code=ExitCode.USAGE,
        )
    if end is not None:
        with _as_usage():
            check_name(end)
        found = api_client.order(f"/v1/shares/{quote(end, safe='')}/end")
        typer.echo(json.dumps(found) if as_json else f"{end}: ended; the folder stays for its next share")
    elif as_list:
        _list(as_json=as_json)
    else:
        with _as_usage():
            for_s = parse_duration(life)
            check_life(for_s)
        _share(feeds or [], for_s, name, as_json=as_json)


def _share(feeds: list[str], for_s: float, name: str | None, *, as_json: bool) -> None:
    name = name or feeds[0]
    with _as_usage():
        check_name(name)
    query = urlencode([*(("feed", feed) for feed in feeds), ("for", f"{for_s:.3f}")])
    found = api_client.order(f"/v1/shares/{name}?{query}")
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    made = _understood(found)
    until = clock_time(made.ends_at, local_now())
    typer.echo(f"{made.name}: {', '.join(made.feeds)} for {duration(for_s)}, until {until}\n")
    typer.echo(f"  folder  {made.folder}")
    typer.echo(f"  docker  {container_line(made)}")
    typer.echo(f"  podman  {podman_line(made)}")
    typer.echo(f"  end     brokerctl share --end {made.name}")
    for feed in _endless(broker_status(api_client.read("/v1/status")), made):
        typer.echo(
            f"\n{feed}: this password never expires: anyone who reads it through the share keeps it", err=True
        )


def container_line(made: ShareStatus) -> str:
    """The line by which Docker starts a container with this share, as this user."""
    return f"docker run --user {os.geteuid()}:{os.getegid()} {_with_share(made)}"


def podman_line(made: ShareStatus) -> str:
    """The same for Podman, whose rootless containers need this user's uid inside (`--userns=keep-id`)."""
    own = "--user 0:0" if os.geteuid() == 0 else "--userns=keep-id"
    return f"podman run {own} {_with_share(made)}"


def _with_share(made: ShareStatus) -> str:
    mount = shlex.quote(f"{made.folder}:{INSIDE}:ro")
    return f"-v {mount} -e TOKEN_BROKER_SOCKET={INSIDE}/broker.sock IMAGE"


def _endless(seen: BrokerStatus, made: ShareStatus) -> list[str]:
    """The shared feeds whose credential is held and does not end by itself."""
    return [
        feed.name for feed in seen.feeds if feed.name in made.feeds and feed.usable and feed.left_s is None
    ]


def _list(*, as_json: bool) -> None:
    found = api_client.read("/v1/shares")
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    shares = [_understood(share) for share in found.get("shares", [])]
    if not shares:
        typer.echo("nothing is shared")
    for each in shares:
        typer.echo(share_line(each, local_now(), cells()))
        typer.echo(f"  folder  {each.folder}")


def _understood(found: api_client.Json) -> ShareStatus:
    try:
        return share_status(found)
    except (KeyError, TypeError, ValueError):
        raise CommandError("the broker's answer was not understood", hint="brokerctl restart") from None


@contextmanager
def _as_usage() -> Iterator[None]:
    """Raises what is refused in the block as CommandError."""
    try:
        yield
    except (BadRequest, ValueError) as wrong:
        raise CommandError(str(wrong), hint="brokerctl share --help", exit_code=ExitCode.USAGE) from None
