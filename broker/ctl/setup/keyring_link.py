"""The `keyring` on the user's PATH: a link to this installation's shim, which passes on what is not ours."""

from pathlib import Path

from broker.ctl.setup.changes import Link
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs

SHIM = "keyring-shim"
REPLACE = "brokerctl setup --replace"


def link_step(user_dirs: UserDirs, shim: Path, *, replace: bool) -> Step:
    """The link, and what is said of it and of the other keyrings there are.

    A keyring of somebody else's at the link's place stays unless `replace`.
    """
    link = Link(user_dirs.link, str(shim), user_dirs.replaced)
    if is_foreign(user_dirs.link) and not replace:
        return Step(
            "keyring",
            f"{user_dirs.shown(user_dirs.link)} is another keyring and stays",
            (),
            StepMark.WRONG,
            REPLACE,
        )
    said = f"{user_dirs.shown(user_dirs.link)} \N{RIGHTWARDS ARROW} {SHIM}"
    moved = (
        f"; the one that was there is kept in {user_dirs.shown(user_dirs.replaced)}"
        if is_foreign(user_dirs.link)
        else ""
    )
    first = first_keyring(user_dirs)
    if first is not None and first != user_dirs.link and not is_ours(first):
        before = f"export PATH={user_dirs.link.parent}:$PATH"
        return Step(
            "keyring", f"{said}{moved}, but {first} is before it on PATH", [link], StepMark.OPEN, before
        )
    if user_dirs.link.parent not in user_dirs.search_path():
        before = f"export PATH={user_dirs.link.parent}:$PATH"
        return Step("keyring", f"{said}{moved}, whose folder is not on PATH", [link], StepMark.OPEN, before)
    return Step("keyring", f"{said}{moved}{_others(user_dirs)}", [link])


def is_foreign(link: Path) -> bool:
    """True when something is there that is neither ours nor a link to nowhere."""
    return link.exists() and not is_ours(link)


def is_ours(keyring: Path) -> bool:
    """True for a shim, of whichever installation."""
    return keyring.resolve().name == SHIM


def keyrings(user_dirs: UserDirs) -> list[Path]:
    """Every `keyring` on PATH, the first one first."""
    found = (
        user_dirs.__class__(user_dirs.home, {"PATH": str(folder)}).program("keyring")
        for folder in user_dirs.search_path()
    )
    return [each for each in found if each is not None]


def first_keyring(user_dirs: UserDirs) -> Path | None:
    """The `keyring` that clients find now, or would if ours were there."""
    for folder in user_dirs.search_path():
        if folder == user_dirs.link.parent:
            return user_dirs.link
        found = user_dirs.__class__(user_dirs.home, {"PATH": str(folder)}).program("keyring")
        if found is not None:
            return found
    return None


def what_hides_the_shim(user_dirs: UserDirs) -> tuple[str, str] | None:
    """Why clients do not find the shim, and what to type; None where they do."""
    link = user_dirs.link
    found = keyrings(user_dirs)
    if found and is_ours(found[0]):
        return None
    said = f"{found[0]} is the first keyring on PATH, not the shim" if found else "no keyring is on PATH"
    if not link.exists():
        return said, "brokerctl setup"
    return said, f"export PATH={link.parent}:$PATH" if is_ours(link) else REPLACE


def _others(user_dirs: UserDirs) -> str:
    other = next((each for each in keyrings(user_dirs) if each != user_dirs.link and not is_ours(each)), None)
    still = "" if other is None else f"; the other one, {other}, still gets what is not ours"
    return f"  (first on PATH{still})"
