"""The `keyring` on the user's PATH: a link to this installation's shim, which passes on what is not ours."""

from dataclasses import replace
from pathlib import Path

from broker.ctl.setup.file_changes import Shown
from broker.ctl.setup.found_keyrings import (
    REBUILD,
    REPLACE,
    SHIM,
    SLOW,
    first_keyring,
    is_ours,
    is_slow,
    keyrings,
    line_that_puts_first,
)
from broker.ctl.setup.link_changes import Link
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs


def link_step(link: Link, target: str, shown: Shown, *, is_foreign: bool, hint: str | None) -> Step:
    """The step that makes the link. `target` is how the step's line names what the link leads to.

    `is_foreign`: another keyring is in its place. It stays, and `hint` says how to replace it; without a hint
    it is replaced.
    """
    if is_foreign and hint is not None:
        return Step("keyring", f"{shown(link.path)} is another keyring and stays", (), StepMark.WRONG, hint)
    said = f"{shown(link.path)} \N{RIGHTWARDS ARROW} {target}"
    if is_foreign and link.away is not None:
        said += f"; the one that was there is kept in {shown(link.away)}"
    return Step("keyring", said, [link])


def user_link_step(user_dirs: UserDirs, shim: Path, *, replaces: bool) -> Step:
    """The step that makes the user's link; its line also names the other keyrings on PATH."""
    link, hint = Link(user_dirs.link, str(shim), user_dirs.replaced), None if replaces else REPLACE
    foreign = is_foreign(user_dirs.link)
    step = link_step(link, SHIM, user_dirs.shown, is_foreign=foreign, hint=hint)
    if step.mark is StepMark.WRONG:
        return step
    remark, hint = _on_path(user_dirs)
    mark = StepMark.OPEN if hint else StepMark.DONE
    return replace(step, said=f"{step.said}{remark}", mark=mark, hint=hint)


def speed_steps(shim: Path) -> list[Step]:
    """A line about the shim where it is the slow one."""
    return [Step("shim", SLOW, (), StepMark.OPEN, REBUILD)] if is_slow(shim) else []


def _on_path(user_dirs: UserDirs) -> tuple[str, str | None]:
    """The remark about the link's place on PATH, and what to type when it is not the first keyring there."""
    link, first = user_dirs.link, first_keyring(user_dirs)
    before = line_that_puts_first(link.parent)
    if first is not None and first != link and not is_ours(first):
        return f", but {first} is before it on PATH", before
    if link.parent not in user_dirs.search_path():
        return ", whose folder is not on PATH", before
    other = next((each for each in keyrings(user_dirs) if each != link and not is_ours(each)), None)
    still = "" if other is None else f"; the other one, {other}, still gets what is not ours"
    return f"  (first on PATH{still})", None


def is_foreign(link: Path) -> bool:
    """True when another keyring is there; a dangling link is none."""
    return link.exists() and not is_ours(link)
