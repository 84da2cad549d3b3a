"""The journal: everything that setup did to a home, written down before it is done, and undone in reverse.

It lies in a folder of its own together with `undo.sh`, which needs nothing but a shell: it works when
token-broker is not installed any more.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from broker.ctl.command_error import CommandError
from broker.ctl.service import launchctl, systemd
from broker.ctl.setup import file_writing
from broker.ctl.setup.undo_actions import Deed, Enabled, Linked, Listening, Loaded, Made, Moved, Wrote

NAME = "journal.json"
SCRIPT = "undo.sh"
PRIVATE = 0o600

KINDS: dict[str, Callable[..., Deed]] = {
    "Made": Made,
    "Wrote": Wrote,
    "Linked": Linked,
    "Moved": Moved,
    "Enabled": Enabled,
    "Listening": Listening,
    "Loaded": Loaded,
}
"""Each kind by its name on the disk: a journal outlives the version that wrote it, so these never change."""

PATHS = {"path", "to"}

_STORED = {kind: name for name, kind in KINDS.items()}

SCRIPT_HEAD = """\
#!/bin/sh
# Undoes what `brokerctl setup` did here, also when token-broker is not installed any more.
# Whatever was changed since then is left alone, and named.
here=$(dirname "$0")
restore() { # FILE NUMBER LINE
    if [ ! -e "$1" ]; then
        :
    elif ! cmp -s "$1" "$here/$2.wrote"; then
        echo "$1 was changed since and stays${3:+; our line in it is: $3}"
    elif [ -e "$here/$2.before" ]; then
        cp -p "$here/$2.before" "$1"
    else
        rm "$1"
    fi
}
"""
SCRIPT_END = """\
systemctl --user daemon-reload 2>/dev/null
[ "$(id -u)" != 0 ] || systemctl daemon-reload 2>/dev/null
rm -r "$here"
"""


class UndoLog:
    """The deeds so far, at `folder`; each method does one more. Raises CommandError.

    New folders have `folder_mode`. Paths are written down as the machine at `root` sees them: an image can
    undo it itself once it runs.
    """

    def __init__(
        self, folder: Path, folder_mode: int = file_writing.NEW_FOLDER, root: Path = Path("/")
    ) -> None:
        self.folder = folder
        self._folder_mode = folder_mode
        self._root = root
        self.deeds: list[Deed] = []
        text = file_writing.text_of(folder / NAME)
        try:
            self.deeds = [_deed(found, root) for found in json.loads(text)] if text else []
        except (ValueError, TypeError, KeyError):
            raise CommandError(f"{folder / NAME} is damaged", hint=f"sh {folder / SCRIPT}") from None

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to undo."""
        return not self.deeds

    def make_folder(self, path: Path) -> None:
        """Make a folder, and those above it that are missing, each for us alone."""
        self._begin()
        for made in file_writing.make_folders(path, self._folder_mode):
            self._note(Made(made))

    def write(self, path: Path, text: str, mode: int, line: str | None = None) -> None:
        """Write a file; `line` is the one line of it that is ours where the file is somebody else's."""
        self.make_folder(path.parent)
        before, content = file_writing.content_of(path), text.encode()
        earlier = next((deed for deed in self.deeds if isinstance(deed, Wrote) and deed.path == path), None)
        if earlier is not None and before == file_writing.content_of(self.folder / f"{earlier.number}.wrote"):
            deed = earlier
        else:
            number = 1 + max((deed.number for deed in self.deeds if isinstance(deed, Wrote)), default=0)
            deed = Wrote(path, number, file_writing.mode_of(path) or mode, line)
            if before is not None:
                file_writing.put(self.folder / f"{number}.before", before, deed.mode)
        file_writing.put(self.folder / f"{deed.number}.wrote", content, PRIVATE)
        self._note(deed)
        file_writing.put(path, content, mode)

    def remove(self, path: Path) -> None:
        """Remove a file that setup wrote; one that was changed since stays."""
        for deed in [deed for deed in self.deeds if isinstance(deed, Wrote) and deed.path == path]:
            if deed.undo(self.folder) is None:
                self.deeds.remove(deed)
                self._save()

    def link(self, path: Path, target: Path) -> None:
        """Make a symbolic link where nothing is."""
        self.make_folder(path.parent)
        self._note(Linked(path, str(target)))
        path.symlink_to(target)

    def move(self, path: Path, to: Path) -> None:
        """Move a file, or a link as it is, out of our way."""
        self.make_folder(to.parent)
        if os.path.lexists(to):
            raise CommandError(f"{to} is there already: move it away, or keep the {path.name} that is in use")
        if path.is_symlink():
            self._note(Moved(path, to, str(path.readlink())))
            to.symlink_to(path.parent / path.readlink())
            path.unlink()
        else:
            self._note(Moved(path, to))
            shutil.move(path, to)

    def enable(self, unit: str) -> None:
        """Let the user's service manager start the unit now and at every login."""
        self._note(Enabled(unit))
        complaint = systemd.systemctl("enable", "--now", unit)
        if complaint is not None:
            raise CommandError(complaint, hint=f"systemctl --user status {unit}")

    def listen(self, unit: str) -> None:
        """Let the machine's service manager open the socket unit now."""
        self._note(Listening(unit))
        complaint = systemd.systemctl("start", unit, manager=systemd.SYSTEM)
        if complaint is not None:
            raise CommandError(complaint, hint=f"systemctl status {unit}")

    def load(self, plist: Path) -> None:
        """Let launchd keep the agent's socket now and after every login."""
        self._note(Loaded(plist))
        complaint = launchctl.load(plist)
        if complaint is not None:
            raise CommandError(complaint, hint=f"launchctl print {launchctl.domain()}/{launchctl.LABEL}")

    def undo(self) -> list[str]:
        """Undo everything, the last deed first; returns what a person should know."""
        said = [deed.undo(self.folder) for deed in reversed(self.deeds) if not isinstance(deed, Made)]
        systemd.systemctl("daemon-reload")
        shutil.rmtree(self.folder, ignore_errors=True)
        for deed in reversed(self.deeds):
            if isinstance(deed, Made):
                deed.undo(self.folder)
        self.deeds = []
        return [line for line in said if line is not None]

    def _begin(self) -> None:
        """Make the journal's own folder; the first deeds are those that this needed."""
        if not self.folder.is_dir():
            for made in file_writing.make_folders(self.folder, self._folder_mode):
                if made != self.folder:
                    self.deeds.append(Made(made))
            self._save()

    def _note(self, deed: Deed) -> None:
        self._begin()
        if deed not in self.deeds:
            self.deeds.append(deed)
            self._save()

    def _save(self) -> None:
        seen = [_moved(deed, self._seen) for deed in self.deeds]
        listed = [{"kind": _STORED[type(deed)], **asdict(deed)} for deed in seen]
        file_writing.put(self.folder / NAME, json.dumps(listed, indent=1, default=str).encode(), PRIVATE)
        file_writing.put(self.folder / SCRIPT, _script(seen).encode(), PRIVATE)

    def _seen(self, path: Path) -> Path:
        return Path("/") / path.relative_to(self._root)


def _script(deeds: list[Deed]) -> str:
    """The undoing as a shell script; folders last, when nothing is in them any more."""
    others = [deed.script() for deed in reversed(deeds) if not isinstance(deed, Made)]
    folders = [deed.script() for deed in reversed(deeds) if isinstance(deed, Made)]
    return SCRIPT_HEAD + "\n".join(others) + "\n" + SCRIPT_END + "\n".join(folders) + "\n"


def _deed(found: dict[str, Any], root: Path) -> Deed:
    keys = {key: Path(value) if key in PATHS else value for key, value in found.items() if key != "kind"}
    return _moved(KINDS[found["kind"]](**keys), lambda path: root / path.relative_to("/"))


def _moved(deed: Deed, to: Callable[[Path], Path]) -> Deed:
    """The deed with its paths as somebody else sees them."""
    paths: dict[str, Any] = {key: to(getattr(deed, key)) for key in PATHS if hasattr(deed, key)}
    return replace(deed, **paths)
