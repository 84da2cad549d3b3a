"""`brokerctl login` and `logout`: a person signs in through the broker, which then renews by itself.

The broker does the signing in and streams where to go; this shell opens the page, if it has a browser.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from broker.core.login_progress import Kept, LoginMethod
from broker.core.refresh import State
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.ui.humanize import duration

if TYPE_CHECKING:
    from rich.console import RenderableType

_ELSEWHERE = ("SSH_CONNECTION", "SSH_TTY", "TOKEN_BROKER_TRUST_UID")
"""Set where a browser would open on another screen than the person's, or away from the daemon's loopback."""

_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")

_SPINS_PER_S = 8

KEPT = {
    Kept.SECRET_STORE: "kept in the system's secret store",
    Kept.FILE: "kept in ~/.IdentityService/token-broker, in plain text, as --store=file wants it",
    Kept.MEMORY: "kept in the broker's memory until it ends: no secret store works here\n"
    "   brokerctl login --store=file NAME keeps it in a file, in plain text",
}


class Store(StrEnum):
    """What `--store` may say."""

    FILE = "file"


def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The feed.")],
    *,
    browser: Annotated[bool, typer.Option("--browser", help="Sign in with this machine's browser.")] = False,
    device_code: Annotated[
        bool, typer.Option("--device-code", help="Sign in with a code, on any device.")
    ] = False,
    store: Annotated[
        Store | None,
        typer.Option(help="Without a secret store keep the sign-in in a file, not in memory."),
    ] = None,
) -> None:
    """Sign in to a feed; its tokens are then renewed without you.

    Uses a browser where this shell has one, else a code to enter on any device. Exit code: 0 fine, 1 the
    broker cannot sign in there, 3 the broker is not running, 4 the sign-in did not complete.
    """
    if browser and device_code:
        raise CommandError("--browser and --device-code exclude each other", exit_code=ExitCode.USAGE)
    chosen = (
        [LoginMethod.BROWSER]
        if browser
        else [LoginMethod.DEVICE_CODE]
        if device_code
        else usual_ways(os.environ)
    )
    query = {"ways": ",".join(chosen), "in_file": str(store is not None).lower()}
    try:
        with api_client.steps(api_client.feed_path(name, "login"), query) as steps:
            ended = _followed(steps)
    except KeyboardInterrupt:
        raise CommandError("the sign-in was given up", exit_code=ExitCode.INTERRUPTED) from None
    raise typer.Exit(ended)


def logout(name: Annotated[str, typer.Argument(metavar="NAME", help="The feed.")]) -> None:
    """Drop a feed's tokens, and the sign-in that login made for it."""
    ended = api_client.order(api_client.feed_path(name, "logout"), patience_s=api_client.FETCH_PATIENCE_S)
    account = ended.get("account")
    outcome = f"{account} is signed out" if account else "no sign-in of brokerctl login was there"
    typer.echo(f"{name}: tokens dropped; {outcome}")
    for remains in ended.get("remains", ()):
        typer.echo(f" · {remains}")


def usual_ways(environ: Mapping[str, str]) -> list[LoginMethod]:
    """How the user of this shell can sign in, the best way first."""
    has_screen = sys.platform == "darwin" or any(environ.get(name) for name in _DESKTOP)
    if has_screen and not any(environ.get(name) for name in _ELSEWHERE):
        return [LoginMethod.BROWSER, LoginMethod.DEVICE_CODE]
    return [LoginMethod.DEVICE_CODE]


def _followed(steps: Iterator[api_client.Json]) -> ExitCode:
    """Show each step as it comes; the exit code that they end with. Raises CommandError."""
    account: str | None = None
    feeds: list[api_client.Json] = []
    waiting: AbstractContextManager[object] = nullcontext()
    while True:
        with waiting:
            step = next(steps, None)
        waiting = nullcontext()
        if step is None:
            break
        match step:
            case {"step": "page", "url": str(url), "code": code, "expires_at": str(end)}:
                expires_at = datetime.fromisoformat(end)
                _show_page(url, code, expires_at)
                waiting = _spinner(expires_at)
            case {"step": "signed-in", "account": str(account), "kept": kept} if kept in KEPT:
                typer.echo(f"✓ signed in as {account}\n · {KEPT[Kept(kept)]}")
            case {"step": "feed", "feed": str()}:
                feeds.append(step)
            case {"step": "failed", "detail": str(detail), "type": str(kind)}:
                needs = ExitCode.NEEDS_A_PERSON if kind == State.SIGN_IN_NEEDED else ExitCode.CANNOT_BE_HAD
                raise CommandError(detail, hint=step.get("hint"), exit_code=needs)
    if account is None:
        raise CommandError("the broker ended before anybody has signed in", hint="brokerctl start")
    return _show_feeds(feeds)


def _show_page(url: str, code: str | None, expires_at: datetime) -> None:
    left = "" if sys.stdout.isatty() else f"   ({duration(_left_s(expires_at))} left)"  # there it counts down
    if code is not None:
        typer.echo(f"To sign in, open  {url}  and enter  {code}{left}")
        return
    typer.echo(f"To sign in, use the page that your browser shows{left}")
    if not _opened(url):
        typer.echo(f"No browser could be started. Open this page on this machine:\n{url}")


def _opened(url: str) -> bool:
    """Whether some browser took the page. Only https: no browser is led to a file or a program by us."""
    import webbrowser  # noqa: PLC0415 - this way only

    return url.startswith("https://") and webbrowser.open(url)


def _show_feeds(feeds: list[api_client.Json]) -> ExitCode:
    worst = ExitCode.FINE
    ready = [str(feed["feed"]) for feed in feeds if feed.get("usable")]
    if ready:
        names = f"{', '.join(ready[:-1])} and {ready[-1]} are" if len(ready) > 1 else f"{ready[0]} is"
        typer.echo(f"✓ {names} ready")
    for feed in feeds:
        if not feed.get("usable"):
            failure = CommandError(
                f"{feed['feed']}: {feed.get('detail') or 'not fetched'}", hint=feed.get("hint")
            )
            typer.echo(f"token-broker: {failure.line}", err=True)
            needs_person = feed.get("state") == State.SIGN_IN_NEEDED
            worst = max(worst, ExitCode.NEEDS_A_PERSON if needs_person else ExitCode.CANNOT_BE_HAD)
    return worst


def _left_s(end: datetime) -> float:
    from broker.host.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which is 20 ms

    return (end - SystemClock().now().wall).total_seconds()


@contextmanager
def _spinner(end: datetime) -> Iterator[None]:
    """On a terminal, a spinner that shows how long the page is valid; removed at the end."""
    from rich.console import Console  # noqa: PLC0415 - rich is loaded only where a screen is drawn
    from rich.live import Live  # noqa: PLC0415 - the same
    from rich.spinner import Spinner  # noqa: PLC0415 - the same

    console = Console(highlight=False)
    if not console.is_terminal:
        yield
        return
    spinner = Spinner("dots")

    def drawn() -> "RenderableType":
        spinner.update(text=f"waiting · {duration(_left_s(end))} left")
        return spinner

    with Live(console=console, get_renderable=drawn, refresh_per_second=_SPINS_PER_S, transient=True):
        yield
