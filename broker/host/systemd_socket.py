"""Asks the service manager to make our socket anew after it was removed.

Only systemd can be asked: launchd has no such request, and a user's launchctl would only end us.
"""

from collections.abc import Mapping

from broker.host.process import run
from broker.host.program_search import executable
from broker.host.run_failure import RunFailure

SOCKET_UNIT = "token-broker.socket"
"""Of the user's manager and of the system's alike."""

RENEWAL = ("systemctl", "--no-block", "--no-ask-password", "restart", SOCKET_UNIT)
"""The restart ends us as well, so no process of ours can wait for it."""

LIMIT_S = 10.0


async def renew_socket(environ: Mapping[str, str], *, system: bool) -> str | None:
    """None when the manager, the user's or the `system`'s, has agreed to restart the socket's unit; else what
    a person types for it.

    Inside the user's sandbox the manager's private socket is hidden and only the bus is there, which
    systemctl takes when it does not know the runtime directory (systemd 252, bus_connect_user_systemd). The
    system's manager agrees where a rule of polkit lets the broker's account manage the unit.
    """
    by_hand = f"sudo systemctl restart {SOCKET_UNIT}" if system else "brokerctl restart"
    program = executable(RENEWAL[0], environ.get("PATH", ""))
    if program is None:
        return by_hand
    command = [program, *(() if system else ("--user",)), *RENEWAL[1:]]
    runtime = environ.get("XDG_RUNTIME_DIR")
    by_bus = {name: value for name, value in environ.items() if name != "XDG_RUNTIME_DIR"}
    by_bus.setdefault("DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime}/bus")
    for variables in (environ,) if system else (environ, by_bus):
        try:
            done = await run(command, env=variables, limit_s=LIMIT_S)
        except RunFailure:
            continue
        if done.code == 0:
            return None
    return by_hand
