"""`brokerctl get` as it is typed."""

from typing import Annotated

import typer

from broker.ctl.get import print_credential


def get(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The feed's URL or name, or the URL of a file in it.")
    ],
    username: Annotated[
        str | None, typer.Option(metavar="NAME", help="The user name the client will send.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print feed, user name, password and end.")] = False,
) -> None:
    """Print the password for a feed."""
    print_credential(url, username, as_json=as_json)
