"""The chart for the documents: bars on a logarithmic scale, as SVG, for a light and a dark page."""

import math
from collections.abc import Mapping
from html import escape

from bench.sheet import short

ROW, LEFT, WIDTH, RIGHT = 24, 260, 380, 90
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.bar{fill:#8c959f}.ours{fill:#1f883d}"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6e7681}.ours{fill:#3fb950}}"
)
LEFT_OUT = ("floor", "empty static program", "server in C")
OURS = ("native shim", "Python shim")


def of(seconds: Mapping[str, float]) -> str:
    """An SVG of how many times as long as the fastest each took, without what only explains the others."""
    shown = {name: taken for name, taken in seconds.items() if not any(word in name for word in LEFT_OUT)}
    unit, fastest = min((taken, name) for name, taken in shown.items())
    rows = sorted((taken / unit, name) for name, taken in shown.items())
    decades = max(math.log10(rows[-1][0]), 1.0)
    lines: list[str] = []
    for number, (ratio, name) in enumerate(rows):
        y, kind = ROW * (number + 2), "ours" if name.startswith(OURS) else "bar"
        width = WIDTH * (math.log10(ratio) / decades * 0.95 + 0.05)
        lines += (
            f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y - 13}" width="{width:.1f}" height="16" rx="2"/>',
            f'<text x="{LEFT + width + 6:.1f}" y="{y}">{short(ratio)} \N{MULTIPLICATION SIGN}</text>',
        )
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{ROW * (len(rows) + 2)}"'
    title = f"Time of one look-up, whole process, in those of the {fastest}; logarithmic"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">\n'
        f'<style>{STYLE}</style>\n<text x="8" y="18" font-weight="600">{escape(title)}</text>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )
