"""Writes every generated page anew: `python -m tools.reference`, typed at the root of the repository.

`tests/test_reference.py` fails when a page that is committed is not what this would write.
"""

import sys

from tools.reference.pages import ROOT, pages


def main() -> None:
    """Write the pages that differ, and name them."""
    for path, text in pages().items():
        place = ROOT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() or place.read_text() != text:
            place.write_text(text)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
