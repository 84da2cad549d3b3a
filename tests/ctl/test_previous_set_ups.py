"""What an earlier brokerctl set up is undone to the byte: by today's `teardown`, and by the script it left.

`previous_set_ups/` holds what version 0.1.0 (commit d80bbe3) left in ~/.local/share/token-broker/setup, with
@HOME@ for the home: `systemd` with a systemctl that agrees to everything, `launchd` with such a launchctl.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker.ctl.setup.file_changes import Folder
from broker.ctl.setup.undo_log import UndoLog
from tests.ctl.homes import (
    JOURNAL,
    foreign_keyring,
    foreign_keyring_by_a_relative_link,
    settings_in_a_dotfiles_folder,
    settings_of_both,
    tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]
    Furnish = Callable[[Path], None]

PREVIOUS = Path(__file__).with_name("previous_set_ups")

SET_UPS: list[tuple[str, Sequence[Furnish]]] = [
    ("systemd", (settings_of_both, foreign_keyring_by_a_relative_link)),
    ("launchd", (settings_in_a_dotfiles_folder, foreign_keyring)),
]
"""Each set-up, and what was in its home before."""


def set_up_before(home: Path, name: str) -> None:
    """Bring the home into the state in which version 0.1.0 left it."""
    kept = {
        path.name: path.read_bytes().replace(b"@HOME@", str(home).encode())
        for path in (PREVIOUS / name).iterdir()
    }
    for record in json.loads(kept["journal.json"]):
        _redo(record, kept)
    (home / JOURNAL).mkdir(mode=0o700)
    for file, content in kept.items():
        (home / JOURNAL / file).write_bytes(content)
        (home / JOURNAL / file).chmod(0o600)
    for record in json.loads(kept["journal.json"]):
        if record["kind"] == "Wrote" and f"{record['number']}.before" in kept:
            (home / JOURNAL / f"{record['number']}.before").chmod(record["mode"])


def _redo(record: dict[str, Any], kept: dict[str, bytes]) -> None:
    match record:
        case {"kind": "Made", "path": path}:
            Path(path).mkdir(mode=0o700)
        case {"kind": "Wrote", "path": path, "number": number, "mode": mode}:
            Path(path).write_bytes(kept[f"{number}.wrote"])
            Path(path).chmod(mode)
        case {"kind": "Linked", "path": path, "target": target}:
            Path(path).symlink_to(target)
        case {"kind": "Moved", "path": path, "to": to, "target": None}:
            Path(path).rename(to)
        case {"kind": "Moved", "path": path, "to": to, "target": target}:
            Path(path).unlink()
            Path(to).symlink_to(Path(path).parent / target)
        case _:
            assert record["kind"] in {"Enabled", "Loaded"}


@pytest.mark.parametrize(("name", "furnish"), SET_UPS)
def test_teardown_undoes_what_an_earlier_version_did(
    brokerctl: Brokerctl, home: Path, name: str, furnish: Sequence[Furnish]
) -> None:
    for each in furnish:
        each(home)
    before = tree(home)
    set_up_before(home, name)

    ended = brokerctl("teardown")

    assert (ended.exit_code, ended.stdout.count("\n"), ended.stderr) == (0, 2, "")
    assert tree(home) == before


@pytest.mark.parametrize(("name", "furnish"), SET_UPS)
def test_script_of_an_earlier_version_undoes_what_it_did(
    home: Path, name: str, furnish: Sequence[Furnish]
) -> None:
    for each in furnish:
        each(home)
    before = tree(home)
    set_up_before(home, name)

    script = f"{home / JOURNAL}/undo.sh"
    done = subprocess.run(["/bin/sh", script], capture_output=True, text=True, check=False, cwd="/")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(home) == before


@pytest.mark.parametrize(("name", "furnish"), SET_UPS)
def test_journal_of_an_earlier_version_is_written_back_in_the_same_form(
    home: Path, name: str, furnish: Sequence[Furnish]
) -> None:
    for each in furnish:
        each(home)
    set_up_before(home, name)
    written = json.loads((home / JOURNAL / "journal.json").read_text())
    log = UndoLog(home / JOURNAL)

    Folder(home / "new").do(log)

    last = {"kind": "Made", "path": str(home / "new")}
    assert (home / JOURNAL / "journal.json").read_text() == json.dumps([*written, last], indent=1)


@pytest.mark.parametrize(("name", "furnish"), SET_UPS)
def test_script_that_is_made_of_an_earlier_versions_journal_undoes_what_it_did(
    home: Path, name: str, furnish: Sequence[Furnish]
) -> None:
    for each in furnish:
        each(home)
    before = tree(home)
    set_up_before(home, name)
    Folder(home / "new").do(UndoLog(home / JOURNAL))

    script = f"{home / JOURNAL}/undo.sh"
    done = subprocess.run(["/bin/sh", script], capture_output=True, text=True, check=False, cwd="/")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(home) == before
