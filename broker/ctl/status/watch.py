"""`brokerctl status --watch`: the status screen, redrawn at each change that the daemon reports.

In between only the clock moves: bars and times are drawn anew each second from what is known. Counts of
look-ups change without an event, so that the status is read anew every few seconds besides.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import replace

import token_broker_client as client
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from broker.core.status import BrokerStatus
from broker.ctl.api_client import is_system_socket
from broker.ctl.command_error import CommandError
from broker.host.clock import SystemClock

TICK_S = 1.0
"""A second is the finest unit on the screen."""

COUNTS_EVERY_S = 5.0

SILENCE_S = 45.0
"""The daemon sends a heartbeat every 15 s (api.routes_status.HEARTBEAT_S)."""

UNAVAILABLE = 503

CHANGED = "changed"
GONE = "gone"
CROWDED = "crowded"
"""The daemon has no place for another listener: the status is read every COUNTS_EVERY_S instead."""

Seen = tuple[BrokerStatus, BrokerStatus | None]
"""A broker's status, and the system broker's where that is another one."""

Screen = Callable[[BrokerStatus, BrokerStatus | None], RenderableType]


def watch(console: Console, ask: Callable[[], Seen], screen: Screen) -> None:
    """Draw until Ctrl-C. `ask` raises CommandError, and so do we where no broker answers at first.

    A terminal that cannot redraw (TERM=dumb) gets a screen for each change, below the one before.
    """
    seen = ask()
    is_dumb = console.is_dumb_terminal
    try:
        with Live(
            console=console, auto_refresh=False, vertical_overflow="visible", transient=is_dumb
        ) as live:
            _Watch(live, ask, screen, seen).run()
    except KeyboardInterrupt:
        return


class _Watch:
    """`_gone`: why there is nothing to show, and since when. `_note`: an outage that may have gone unseen."""

    def __init__(self, live: Live, ask: Callable[[], Seen], screen: Screen, seen: Seen) -> None:
        self._live = live
        self._ask = ask
        self._screen = screen
        self._clock = SystemClock()
        self._seen, self._read_at = seen, self._clock.now()
        self._events = _events_of(seen[0].socket)
        self._gone: tuple[str, str] | None = None
        self._note: str | None = None

    def run(self) -> None:
        """Draw, wait, read; for ever."""
        is_news = True
        while True:
            if is_news or not self._live.console.is_dumb_terminal:
                self._draw()
            before, event = self._gone, self._next_event()
            if event == CROWDED:
                self._note = f"the broker has too many listeners; this is read every {COUNTS_EVERY_S:.0f} s"
                event = None
            if event == GONE and self._gone is None:
                self._gone = "token-broker is not running", self._time_of_day()
            if event is not None or self._gone is not None or self._age_s() >= COUNTS_EVERY_S:
                self._read()
            is_news = event is not None or self._gone != before

    def _next_event(self) -> str | None:
        """The daemon's last event, None after a tick. A burst of changes is one."""
        event = None
        try:
            event = self._events.get(timeout=TICK_S)
            while event == CHANGED:
                event = self._events.get_nowait()
        except queue.Empty:
            pass
        return event

    def _read(self) -> None:
        try:
            seen = self._ask()
        except CommandError as failure:
            self._gone = failure.detail, self._gone[1] if self._gone is not None else self._time_of_day()
            return
        self._seen, self._read_at = seen, self._clock.now()
        if self._gone is not None:
            away, back = self._gone[1], self._time_of_day()
            self._note = f"the broker went away at {away} and came back at {back} (process {seen[0].pid})"
            self._gone = None
            self._events = _events_of(seen[0].socket)

    def _draw(self) -> None:
        if self._gone is not None:
            said, since = self._gone
            drawn: RenderableType = Text(f"{said} (since {since}); waiting for it")
        else:
            seen, system = self._seen
            age_s = self._age_s()
            drawn = self._screen(aged(seen, age_s), None if system is None else aged(system, age_s))
            if self._note is not None:
                drawn = Group(drawn, Text(), Text(self._note, style="dim"))
        if self._live.console.is_dumb_terminal:
            self._live.console.print(drawn)
        else:
            self._live.update(drawn, refresh=True)

    def _age_s(self) -> float:
        return self._clock.now().boot_s - self._read_at.boot_s

    def _time_of_day(self) -> str:
        return f"{self._clock.now().wall.astimezone():%H:%M:%S}"


def aged(seen: BrokerStatus, seconds: float) -> BrokerStatus:
    """What the status would say these seconds later if nothing else changed."""
    whole = int(seconds)
    feeds = tuple(feed.aged(whole) for feed in seen.feeds)
    return replace(seen, uptime_s=seen.uptime_s + whole, feeds=feeds)


def _events_of(socket: str) -> "queue.SimpleQueue[str]":
    """The daemon's events from now on; the last is GONE or CROWDED. The thread ends with the daemon or us."""
    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    path = client.SYSTEM_SOCKET if is_system_socket(socket) else None
    threading.Thread(target=_listen, args=(events, path), daemon=True).start()
    return events


def _listen(events: "queue.SimpleQueue[str]", path: str | None) -> None:
    last = GONE
    try:
        with client.stream("GET", "/v1/events", between_lines_s=SILENCE_S, path=path) as lines:
            if lines.status == UNAVAILABLE:
                last = CROWDED
            for line in lines:
                if line.startswith(b"event:"):
                    events.put(CHANGED)
    except (client.BrokerError, OSError):
        pass
    finally:
        events.put(last)
