"""Tries the sandbox: the probe runs in a unit with it and in one without, and must give the same result."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.ctl import user_files
from broker.ctl.service import systemd
from broker.ctl.setup.file_changes import PRIVATE, Folder, Scratch, temporary_of
from broker.ctl.setup.sandbox_probe import BAD_CONFIGURATION, FINE
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.undo_rules import follow
from broker.ctl.setup.unit_files import executed
from broker.host.clock import SystemClock

INSIDE = "token-broker-probe-inside.service"
OUTSIDE = "token-broker-probe-outside.service"

LIMIT_S = 180
"""For all sign-ins of one probe."""

NOT_RUN = "the installation does not run in it"
NO_NAMESPACES = {"217", "226"}
"""EXIT_USER and EXIT_NAMESPACE of systemd.exec(5)."""

EXPOSURE = re.compile(r"Overall exposure level for \S+: ([0-9.]+)")

PROBE = """
[Service]
ExecStart=
ExecStart={python} -I -m broker.ctl.setup.sandbox_probe
ExecReload=
Restart=no
WatchdogSec=0
TimeoutStartSec={limit_s}
StandardOutput=truncate:{answer}
"""


@dataclass(frozen=True, slots=True)
class SandboxVerdict:
    """The result of the trial: `fault` is why setup does not keep the sandbox, None when it does."""

    took_s: float
    fault: str | None = None


def try_sandbox(service: str, sandbox: str, python: str, log: UndoLog) -> SandboxVerdict:
    """Run the probe in this service with this sandbox and without it. Both units are removed afterwards."""
    clock = SystemClock()
    begun = clock.now()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    units = runtime / "systemd" / "user"
    answers = {unit: runtime / f"{unit}.json" for unit in (INSIDE, OUTSIDE)}
    scratch = [Scratch(path) for unit, answer in answers.items() for path in (units / unit, answer)]
    folders = [Folder(folder) for folder in user_files.missing_folders(units)]
    log.note(*folders, *scratch)
    try:
        user_files.make_folders(units)
        for unit, answer in answers.items():
            lines = [line for line in service.split("\n") if not line.startswith(("Requires=", "After="))]
            probe = PROBE.format(python=executed(python), limit_s=LIMIT_S, answer=answer)
            text = "\n".join(lines) + (sandbox if unit == INSIDE else "") + probe
            user_files.put(units / unit, text.encode(), PRIVATE, temporary_of(units / unit))
        systemd.systemctl("daemon-reload")
        systemd.systemctl("start", INSIDE, OUTSIDE)
        fault = _disagreement(_said(answers[INSIDE]), _said(answers[OUTSIDE]))
        if fault is None and systemd.shown("Result", INSIDE) != "success":
            fault = "systemd does not hear from inside it"
        if fault == NOT_RUN and systemd.shown("ExecMainStatus", INSIDE) in NO_NAMESPACES:
            fault = "this machine lets no user make namespaces"
        return SandboxVerdict(clock.now().boot_s - begun.boot_s, fault)
    finally:
        undone: list[Scratch | Folder] = [*scratch, *reversed(folders)]
        for each in undone:
            follow(each.undoing(log.folder))
        log.forget(*undone)
        systemd.systemctl("reset-failed", INSIDE, OUTSIDE)
        systemd.systemctl("daemon-reload")


def exposure() -> str | None:
    """The exposure level that systemd gives the service, from 0 to 10; None where it gives none."""
    found = EXPOSURE.search(
        systemd.ask("systemd-analyze", "--user", "--no-pager", "security", systemd.SERVICE_UNIT)
    )
    return found[1] if found else None


def _said(answer: Path) -> dict[str, str] | None:
    """The JSON object that a probe printed, or None where it printed none."""
    try:
        found = json.loads(user_files.text_of(answer))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _disagreement(inside: Mapping[str, str] | None, outside: Mapping[str, str] | None) -> str | None:
    """Why setup does not keep the sandbox: any difference counts, also one failure in place of another."""
    if outside is None:
        return "the probe does not run as a service at all"
    if outside.get("brokerd") not in {FINE, BAD_CONFIGURATION}:
        return f"a broker cannot be tried here ({outside.get('brokerd')})"
    if inside is None:
        return NOT_RUN
    for name, outcome in outside.items():
        if inside.get(name) != outcome:
            found = inside.get(name, "not found")
            return f"{name}: {outcome} outside, {found} inside"
    return None
