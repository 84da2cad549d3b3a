"""The `keyring` on the user's PATH: a link to this installation's shim, which passes on what is not ours."""

from pathlib import Path

from broker.ctl.setup.plan import Link, Mark, Step
from broker.ctl.setup.user_dirs import Places

SHIM = "keyring-shim"
REPLACE = "brokerctl setup --replace"


def link_step(places: Places, shim: Path, *, replace: bool) -> Step:
    """The link, and what is said of it and of the other keyrings there are.

    A keyring of somebody else's at the link's place stays unless `replace`.
    """
    link = Link(places.link, shim, places.replaced)
    if is_foreign(places.link) and not replace:
        return Step(
            "keyring", f"{places.shown(places.link)} is another keyring and stays", (), Mark.WRONG, REPLACE
        )
    said = f"{places.shown(places.link)} \N{RIGHTWARDS ARROW} {SHIM}"
    moved = (
        f"; the one that was there is kept in {places.shown(places.replaced)}"
        if is_foreign(places.link)
        else ""
    )
    first = first_keyring(places)
    if first is not None and first != places.link and not is_ours(first):
        before = f"export PATH={places.link.parent}:$PATH"
        return Step("keyring", f"{said}{moved}, but {first} is before it on PATH", [link], Mark.OPEN, before)
    if places.link.parent not in places.search_path():
        before = f"export PATH={places.link.parent}:$PATH"
        return Step("keyring", f"{said}{moved}, whose folder is not on PATH", [link], Mark.OPEN, before)
    return Step("keyring", f"{said}{moved}{_others(places)}", [link])


def is_foreign(link: Path) -> bool:
    """True when something is there that is neither ours nor a link to nowhere."""
    return link.exists() and not is_ours(link)


def is_ours(keyring: Path) -> bool:
    """True for a shim, of whichever installation."""
    return keyring.resolve().name == SHIM


def keyrings(places: Places) -> list[Path]:
    """Every `keyring` on PATH, the first one first."""
    found = (
        places.__class__(places.home, {"PATH": str(folder)}).program("keyring")
        for folder in places.search_path()
    )
    return [each for each in found if each is not None]


def first_keyring(places: Places) -> Path | None:
    """The `keyring` that clients find now, or would if ours were there."""
    for folder in places.search_path():
        if folder == places.link.parent:
            return places.link
        found = places.__class__(places.home, {"PATH": str(folder)}).program("keyring")
        if found is not None:
            return found
    return None


def what_hides_the_shim(places: Places) -> tuple[str, str] | None:
    """Why clients do not find the shim, and what to type; None where they do."""
    link = places.link
    found = keyrings(places)
    if found and is_ours(found[0]):
        return None
    said = f"{found[0]} is the first keyring on PATH, not the shim" if found else "no keyring is on PATH"
    if not link.exists():
        return said, "brokerctl setup"
    return said, f"export PATH={link.parent}:$PATH" if is_ours(link) else REPLACE


def _others(places: Places) -> str:
    other = next((each for each in keyrings(places) if each != places.link and not is_ours(each)), None)
    still = "" if other is None else f"; the other one, {other}, still gets what is not ours"
    return f"  (first on PATH{still})"
