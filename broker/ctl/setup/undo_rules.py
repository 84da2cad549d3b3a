"""How a change is undone: rules, which `teardown` follows itself and which are written into undo.sh.

Each class has both forms, so that the two decide alike. A rule may be followed again after it was followed in
part or in whole: a teardown that was killed is repeated. Nothing here replaces a file that is not named.
"""

import contextlib
import filecmp
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Protocol

from broker.ctl.setup.keyring_settings import without_line
from broker.ctl.user_files import content_of
from broker.host.file_writing import move_file, replace_file

Word = Callable[[Path], str]
"""A path as a word of the script."""


class Condition(Protocol):
    """A state of the disk."""

    def holds(self) -> bool:
        """True when the disk is in it. Never raises."""
        ...

    def sh(self, word: Word) -> str:
        """The same for sh."""
        ...


class Act(Protocol):
    """Something to do."""

    def do(self) -> str | None:
        """Do it; returns what the user should know. Raises OSError."""
        ...

    def sh(self, word: Word) -> str:
        """The same for sh."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do when all the conditions hold."""

    when: tuple[Condition, ...]
    then: tuple[Act, ...] = ()


Choice = Sequence[Rule]
"""The first rule that holds is followed, and no other."""


def follow(choices: Sequence[Choice]) -> list[str]:
    """Follow them here; returns what the user should know. Raises OSError."""
    said: list[str | None] = []
    for choice in choices:
        rule = next((rule for rule in choice if all(each.holds() for each in rule.when)), None)
        said += [act.do() for act in rule.then] if rule else []
    return [line for line in said if line is not None]


def script(choices: Sequence[Choice], word: Word) -> str:
    """The same for sh, one line a choice."""
    return "\n".join(_branches(choice, word) for choice in choices)


def _branches(choice: Choice, word: Word) -> str:
    lines: list[str] = []
    for rule in choice:
        acts = "; ".join(act.sh(word) for act in rule.then) or ":"
        if not rule.when:
            lines.append(f"else {acts}; " if lines else f"{acts}")
            break
        tests = " && ".join(each.sh(word) for each in rule.when)
        lines.append(f"{'elif' if lines else 'if'} {tests}; then {acts}; ")
    return "".join(lines) + ("fi" if choice[0].when else "")


@dataclass(frozen=True, slots=True)
class There:
    """Something is at the path, if only a dangling link."""

    path: Path

    def holds(self) -> bool:
        """As the class says."""
        return os.path.lexists(self.path)

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"{{ [ -e {word(self.path)} ] || [ -L {word(self.path)} ]; }}"


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing is at the path; `by_link`: or only a link that leads nowhere."""

    path: Path
    by_link: bool = False

    def holds(self) -> bool:
        """As the class says."""
        return not (self.path.exists() if self.by_link else os.path.lexists(self.path))

    def sh(self, word: Word) -> str:
        """As the class says."""
        is_no_link = "" if self.by_link else f" && [ ! -L {word(self.path)} ]"
        return f"[ ! -e {word(self.path)} ]{is_no_link}"


@dataclass(frozen=True, slots=True)
class Dangling:
    """A link that leads nowhere is at the path."""

    path: Path

    def holds(self) -> bool:
        """As the class says."""
        return self.path.is_symlink() and not self.path.exists()

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"[ -L {word(self.path)} ] && [ ! -e {word(self.path)} ]"


@dataclass(frozen=True, slots=True)
class NoFolder:
    """The path is not a folder."""

    path: Path

    def holds(self) -> bool:
        """As the class says."""
        return not self.path.is_dir()

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"[ ! -d {word(self.path)} ]"


@dataclass(frozen=True, slots=True)
class Same:
    """Both paths are of files, with the same content. A file that cannot be read has no content."""

    path: Path
    other: Path

    def holds(self) -> bool:
        """As the class says."""
        if not (self.path.is_file() and self.other.is_file()):
            return False
        with contextlib.suppress(OSError):
            return filecmp.cmp(self.path, self.other, shallow=False)
        return False

    def sh(self, word: Word) -> str:
        """As the class says."""
        path, other = word(self.path), word(self.other)
        return f"[ -f {path} ] && [ -f {other} ] && cmp -s {path} {other}"


@dataclass(frozen=True, slots=True)
class Leads:
    """The path is of a link with this text."""

    path: Path
    text: str

    def holds(self) -> bool:
        """As the class says."""
        return self.path.is_symlink() and str(self.path.readlink()) == self.text

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f'[ "$(readlink {word(self.path)})" = {quote(self.text)} ]'


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the user; `{}` stands for each of the paths, or for a text as it is."""

    text: str
    paths: tuple[Path | str, ...]

    def do(self) -> str:
        """As the class says."""
        return self.text.format(*self.paths)

    def sh(self, word: Word) -> str:
        """As the class says."""
        words = " ".join(quote(path) if isinstance(path, str) else word(path) for path in self.paths)
        form = self.text.replace("%", "%%").replace("{}", "%s")
        return f"printf {quote(form + chr(92) + 'n')} {words}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file or a link."""

    path: Path

    def do(self) -> None:
        """As the class says."""
        self.path.unlink(missing_ok=True)

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"rm -f {word(self.path)}"


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Remove a folder if it is empty."""

    path: Path

    def do(self) -> None:
        """As the class says."""
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"rmdir {word(self.path)} 2>/dev/null || :"


@dataclass(frozen=True, slots=True)
class PutBack:
    """Put a file that was kept in place of `path`: the same file again where the file system allows it."""

    kept: Path
    path: Path
    temporary: Path
    mode: int

    def do(self) -> None:
        """As the class says."""
        try:
            os.link(self.kept, self.temporary)
        except OSError:  # on another file system, say
            replace_file(self.path, self.kept.read_bytes(), self.mode, self.temporary)
        else:
            self.temporary.replace(self.path)

    def sh(self, word: Word) -> str:
        """As the class says."""
        kept, path, temporary = word(self.kept), word(self.path), word(self.temporary)
        copied = f"{{ ln {kept} {temporary} 2>/dev/null || cp -p {kept} {temporary}; }}"
        return f"{copied} && mv -f {temporary} {path}"


@dataclass(frozen=True, slots=True)
class MoveBack:
    """Move a file back to where it was; nothing is there."""

    kept: Path
    path: Path
    temporary: Path

    def do(self) -> None:
        """As the class says."""
        try:
            os.link(self.kept, self.path)  # unlike a rename, it replaces nothing
        except FileExistsError:
            raise
        except OSError:  # on another file system, say
            move_file(self.kept, self.path, self.temporary)
        else:
            self.kept.unlink()

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"mv {word(self.kept)} {word(self.path)}"


@dataclass(frozen=True, slots=True)
class LinkBack:
    """Make a link with this text again; nothing is there. `kept` has done its service."""

    path: Path
    text: str
    kept: Path

    def do(self) -> None:
        """As the class says."""
        self.path.symlink_to(self.text)
        self.kept.unlink()

    def sh(self, word: Word) -> str:
        """As the class says."""
        return f"ln -s {quote(self.text)} {word(self.path)} && rm -f {word(self.kept)}"


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Take one line out of a file that was changed since; sh only says which one it is."""

    path: Path
    real: Path
    temporary: Path
    line: str

    def do(self) -> str | None:
        """As the class says."""
        now = content_of(self.real) or b""
        text = now.decode(errors="surrogateescape")
        without = without_line(text, self.line).encode(errors="surrogateescape")
        if without == now:
            return None
        replace_file(self.real, without, self.real.stat().st_mode & 0o7777, self.temporary)
        return f"{self.path} was changed since: only our line was taken out"

    def sh(self, word: Word) -> str:
        """As the class says."""
        return Say(f"{{}} was changed since and stays; our line in it is: {self.line}", (self.path,)).sh(word)


@dataclass(frozen=True, slots=True)
class Call:
    """Tell a service manager something; what it answers is of no consequence."""

    told: Callable[[], object]
    line: str

    def do(self) -> None:
        """As the class says."""
        self.told()

    def sh(self, _: Word) -> str:
        """As the class says."""
        return self.line
