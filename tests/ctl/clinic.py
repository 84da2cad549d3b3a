"""A room for the doctor to look around in, furnished by a test."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.doctor.context import BrokerAnswer, DoctorContext
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.status.record import broker_status, feed_status
from tests.ctl.found_feeds import broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import pytest

    from broker.config.paths import ConfigPaths
    from broker.ctl.doctor.finding import Finding

    Check = Callable[[DoctorContext], Iterator[Finding]]

SYSTEMCTL = """#!/bin/sh
# A service manager of whose units `shown` tells the properties, one NAME.UNIT=VALUE a line.
echo "$*" >>{folder}/told
for word in "$@"; do case $word in --property=*) name=${{word#--property=}};; esac; unit=$word; done
case "$*" in
*" show "* | *show-user*) sed -n "s/^$name[.]\\($unit\\|any\\)=//p" {folder}/shown | head -n 1 ;;
esac
"""


class OwnSite(UserDirs):
    """A home whose site's file lies in it, so that a test can write it and this machine's is not seen."""

    @property
    def configuration(self) -> ConfigPaths:
        return replace(super().configuration, site=self.home / "site.toml")


@dataclass
class Clinic:
    """`home` and `project` are empty at first; `environ` is what the doctor takes for the shell's."""

    home: Path
    project: Path
    programs: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.home, self.project, self.programs):
            folder.mkdir()
        self.environ |= {"HOME": str(self.home), "PATH": f"{self.home}/.local/bin:{self.programs}"}

    def write(self, place: str, text: str, mode: int = 0o600) -> Path:
        """A file, in the home by a path that begins with `~/`, else in the project."""
        path = self.home / place[2:] if place.startswith("~/") else self.project / place
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(mode)
        return path

    def configure(self, text: str) -> Path:
        """The user's configuration."""
        return self.write("~/.config/token-broker/config.toml", text)

    def configure_site(self, text: str) -> Path:
        """The site's configuration."""
        return self.write("~/site.toml", text)

    def program(self, name: str, text: str = "") -> Path:
        """A program on PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def systemd(self, monkeypatch: pytest.MonkeyPatch, **shown: str) -> None:
        """A service manager: properties as LoadState__socket="loaded", those of any unit without a unit."""
        lines = []
        for key, value in {"Version": "252", **shown}.items():
            name, _, unit = key.partition("__")
            lines.append(f"{name}.{f'token-broker.{unit}' if unit else 'any'}={value}")
        (self.programs / "shown").write_text("\n".join(lines) + "\n")
        program = self.program("systemctl")
        program.write_text(SYSTEMCTL.format(folder=self.programs))
        (self.programs / "loginctl").symlink_to(program)
        monkeypatch.setenv("PATH", f"{self.programs}:{os.environ['PATH']}")

    def room(
        self,
        status: dict[str, Any] | None = None,
        *,
        failure: CommandError | None = None,
        date: datetime | None = None,
        asked: Sequence[dict[str, Any]] = (),
    ) -> DoctorContext:
        """The room with a broker that says `status`; None: one without feeds. `asked`: what it says of feeds
        that it has just asked.
        """
        answered = (
            BrokerAnswer(broker_status(status or broker()), 0.0009)
            if failure is None
            else BrokerAnswer(failure=failure)
        )
        said = {feed["name"]: feed for feed in (status or broker())["feeds"]} | {
            feed["name"]: feed for feed in asked
        }
        return DoctorContext(
            OwnSite(self.home, self.environ),
            self.project,
            lambda: answered,
            lambda _: date,
            ask_feed=lambda name: feed_status(said[name]),
        )


def found(check: Check, room: DoctorContext) -> list[tuple[str, str, str | None]]:
    """What a check found that is not fine: level, words, repair."""
    return [(each.level, each.said, each.repair) for each in check(room) if each.level != "fine"]


def not_running() -> CommandError:
    return CommandError("token-broker is not running", exit_code=ExitCode.NOT_RUNNING)
