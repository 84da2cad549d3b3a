"""What setup's journal has on the disk: teardown of every later version must still read it."""

import json
import os
import shlex
from pathlib import Path

import pytest

from broker.ctl.setup.file_changes import Folder, Write
from broker.ctl.setup.link_changes import Link, Move
from broker.ctl.setup.service_changes import Enable, Listen, Load
from broker.ctl.setup.undo_log import UndoLog
from tests.ctl.homes import tree, write

SETUP = "share/setup"

WRITTEN = """\
[
 {
  "kind": "Made",
  "path": "/home/share"
 },
 {
  "kind": "Made",
  "path": "/home/new"
 },
 {
  "kind": "Wrote",
  "path": "/home/new/env.toml",
  "number": 1,
  "mode": 384,
  "line": null
 },
 {
  "kind": "Wrote",
  "path": "/home/uv.toml",
  "number": 2,
  "mode": 416,
  "line": "k = 1"
 },
 {
  "kind": "Made",
  "path": "/home/replaced"
 },
 {
  "kind": "Moved",
  "path": "/home/keyring",
  "to": "/home/replaced/keyring",
  "target": null
 },
 {
  "kind": "Moved",
  "path": "/home/relative",
  "to": "/home/replaced/relative",
  "target": "elsewhere"
 },
 {
  "kind": "Linked",
  "path": "/home/keyring",
  "target": "/opt/bin/keyring-shim"
 },
 {
  "kind": "Enabled",
  "unit": "token-broker.socket"
 },
 {
  "kind": "Listening",
  "unit": "token-broker.socket"
 },
 {
  "kind": "Loaded",
  "path": "/home/agent.plist"
 }
]"""
"""The journal of `everything`, as version 0.1.0 wrote it. Never edit it: such files are on people's disks."""

UNDOINGS = [
    "launchctl bootout",
    "systemctl --system stop token-broker.socket token-broker.service",
    "systemctl --user disable --now token-broker.socket",
    "systemctl --user stop token-broker.service",
    "systemctl --user daemon-reload",
]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Service managers that do as they are told, and the file where each command is noted."""
    noted = tmp_path / "calls"
    for name in ("systemctl", "launchctl"):
        note = f'echo "{name} $*" >> {shlex.quote(str(noted))}'
        write(tmp_path / "programs" / name, f"#!/bin/sh\n{note}\n", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:{os.environ['PATH']}")
    return noted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with settings and keyrings of somebody else's."""
    made = tmp_path / "machine" / "home"
    write(made / "uv.toml", "offline = true\n", 0o640)
    write(made / "keyring", "foreign", 0o755)
    (made / "relative").symlink_to("elsewhere")
    return made


def everything(home: Path) -> None:
    """Every kind of change, made in the home."""
    log = UndoLog(home / SETUP, root=home.parent)
    changes = (
        Folder(home / "new"),
        Write(home / "new/env.toml", "ours\n", 0o600),
        Write(home / "uv.toml", "k = 1\noffline = true\n", 0o644, "k = 1"),
        Move(home / "keyring", home / "replaced/keyring"),
        Move(home / "relative", home / "replaced/relative"),
        Link(home / "keyring", "/opt/bin/keyring-shim"),
        Enable("token-broker.socket"),
        Listen("token-broker.socket"),
        Load(home / "agent.plist"),
    )
    for change in changes:
        change.do(log)


@pytest.mark.usefixtures("calls")
def test_the_journal_of_every_change_is_what_the_first_version_wrote(home: Path) -> None:
    everything(home)

    assert json.loads((home / SETUP / "journal.json").read_text()) == json.loads(WRITTEN)


def test_a_journal_of_the_first_version_is_undone(home: Path, calls: Path) -> None:
    before = tree(home)
    everything(home)
    (home / SETUP / "journal.json").write_text(WRITTEN)
    calls.write_text("")

    said = UndoLog(home / SETUP, root=home.parent).undo()

    assert said == []
    assert tree(home) == before
    lines = calls.read_text().splitlines()
    asked = [line for line in lines if not line.startswith("launchctl print ")]
    assert [line.partition(" gui/")[0] for line in asked] == UNDOINGS
