from __future__ import annotations

import pytest

from broker.ctl.explain import screen
from broker.ctl.ui.layout import laid_out

TO_COPY = "fpath+=(~/.local/share/zsh/site-functions)"


@pytest.mark.parametrize("cells", range(1, 60))
def test_what_is_copied_is_whole_however_narrow_the_terminal(cells: int) -> None:
    said = f"for bash, zsh, fish (zsh: {TO_COPY} before compinit)"

    assert TO_COPY in laid_out(" ✓ completion ", said, None, cells=cells)
    assert TO_COPY in "\n".join(line for line, _ in screen([{"step": "answer", "text": said}], cells))


def test_sentence_is_broken_between_its_words_below_its_beginning() -> None:
    assert laid_out(" ✗ ", "az is signed out of it", "az login", cells=16, column=40) == (
        " ✗ az is signed\n   out of it\n      az login"
    )
