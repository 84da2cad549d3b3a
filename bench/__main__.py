"""`python -m bench [TABLE ...]`: tables of ratios, all rivals of a table in the same run."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import (
    against,
    against_verbs,
    busy,
    gateway,
    growth,
    idle_memory,
    install,
    lookup,
    serving,
    sheet,
    start,
    verbs,
)

Table = Callable[[bool, Path], sheet.Sheet]

TABLES: dict[str, Table] = {
    "lookup": lambda short, rivals: lookup.sheet(short=short, rivals=rivals),
    "install": lambda short, rivals: install.sheet(short=short, folder=rivals),
    "route": lambda short, _: serving.route(short=short),
    "memory": lambda short, _: serving.memory(short=short),
    "pss": lambda short, _: idle_memory.sheet(short=short),
    "growth": lambda short, _: growth.sheet(short=short),
    "start": lambda short, _: start.sheet(short=short),
    "verbs": lambda short, _: verbs.sheet(short=short),
    "busy": lambda short, _: busy.sheet(short=short),
    "gateway": lambda short, _: gateway.sheet(short=short),
}

AGAINST: dict[str, Callable[[str, bool], sheet.Sheet]] = {
    "lookup": lambda tree, short: against.sheet(tree, short=short),
    "verbs": lambda tree, short: against_verbs.sheet(tree, short=short),
}


def main() -> None:
    """Print the tables that were asked for, or all, and keep them in RESULTS.md and the pages' chart."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"some of: {', '.join(TABLES)}")
    parser.add_argument(
        "--short", action="store_true", help="under a minute: few rounds, nothing installed or kept"
    )
    parser.add_argument("--rivals", type=Path, help="install the rivals in this folder, and keep them there")
    parser.add_argument(
        "--against",
        metavar="TREE",
        help=f"this tree beside another (a folder, or a revision of git's): {' or '.join(AGAINST)}",
    )
    options = parser.parse_args()
    if options.against is not None:
        try:
            for name in options.tables or ["lookup"]:
                print(AGAINST[name](options.against, options.short), flush=True)
        except KeyError as wrong:
            parser.error(f"{wrong.args[0]} has no table of two trees")
        except ValueError as wrong:
            parser.error(str(wrong))
        return
    unknown = set(options.tables) - TABLES.keys()
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="rivals-") as thrown_away:
        for name in options.tables or TABLES:
            made = TABLES[name](options.short, options.rivals or Path(thrown_away))
            print(made, flush=True)
            if not options.short:
                sheet.keep(made)


if __name__ == "__main__":
    main()
