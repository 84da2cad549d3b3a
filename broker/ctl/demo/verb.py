"""`brokerctl demo`, the verb: light to import, as all verbs are."""

from typing import Annotated

import typer

LIFE_S = 20.0
TAKES_S = 1.0


def demo(
    *,
    life: Annotated[float, typer.Option(hidden=True, help="Seconds that a token lives.")] = LIFE_S,
    takes: Annotated[
        float, typer.Option(hidden=True, help="Seconds that the token command takes.")
    ] = TAKES_S,
) -> None:
    """Watch it work: uv, a private index, 20 seconds.

    A real package index on loopback that demands tokens of 20 seconds, a broker of its own, a token command
    that takes a second as az does, and the real uv. Nothing is installed, and nothing is left behind.
    """
    from broker.ctl.demo.show import show  # noqa: PLC0415 - a web server and a terminal, for this verb only

    show(life_s=life, takes_s=takes)
