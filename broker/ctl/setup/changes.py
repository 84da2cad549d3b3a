"""Every kind of change that setup makes, one class a kind, and how each is written down.

A class says whether its change is done, how it is announced and done, and by which rules it is undone.
Read undo_log next.
"""

from collections.abc import Callable

from broker.ctl.setup.file_changes import Folder, Scratch, Write
from broker.ctl.setup.link_changes import Keep, Link, Move
from broker.ctl.setup.service_changes import Enable, Listen, Load

PlannedChange = Folder | Write | Link | Enable | Listen | Load
"""What a step is made of."""

Change = PlannedChange | Move | Keep | Scratch

STORED: dict[str, tuple[Callable[..., Change], tuple[str, ...]]] = {
    "Made": (Folder, ("path",)),
    "Wrote": (Write, ("path", "number", "mode", "line")),
    "Linked": (Link, ("path", "target")),
    "Moved": (Move, ("path", "to", "target", "led")),
    "Kept": (Keep, ("path",)),
    "Scratch": (Scratch, ("path",)),
    "Enabled": (Enable, ("unit",)),
    "Listening": (Listen, ("unit",)),
    "Loaded": (Load, ("path",)),
}
"""By the name of a kind in the undo log: its class, and the fields that are written down.

Undo logs of every earlier version are read by these names, so they stay.
"""
