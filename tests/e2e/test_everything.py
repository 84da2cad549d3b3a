"""The whole suite of end-to-end tests, its daemons saying all that they can at debug: none of the tokens that
were issued meanwhile is left anywhere, and without the redaction they would have been found.

`pytest -m long tests/e2e/test_everything.py` runs it, in about two minutes on two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.traces import Search, spellings_inside
from tests.fakes.tokens import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

SUITE = Path(__file__).parent
LIMIT_S = 1800

PLANTING = ("test_everything", "test_traces", "test_tracebacks", "test_search")
"""They put tokens where none may be."""

QUIET = ("tests/e2e/test_mutated_requests.py::test_mutated_requests_are_answered_or_hung_up_on[a few]",)
"""It demands a log without a traceback, and a talkative daemon says one for each token."""

FAKES_OWN = "/az/control/same-token.json"
"""Where the fake az keeps the token that it is to print again: no place of the daemon's or of a client's."""


@contextmanager
def kept(mode: str, *tests: str | Path) -> Iterator[Path]:
    """The folder with all that a run of these tests has left, with daemons in this mode of talking."""
    with tempfile.TemporaryDirectory(prefix="k-", dir="/tmp") as folder:
        place = Path(folder).resolve()
        place.chmod(0o711)  # another user is let through to what the tests open on purpose
        options = ["-p", "tests.e2e.keeping", "-q", "-n2", "-m", "not long", f"--basetemp={place}/pytest"]
        options += ["-o", "tmp_path_retention_policy=all", "-o", "junit_logging=all"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"--junitxml={place}/report.xml", *tests],
            cwd=SUITE.parents[1],
            env={**os.environ, "KEPT_TRACES": str(place), "TALKATIVE": mode},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        (place / "said").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout
        yield place


def search() -> Search:
    """For any token of a fake's."""
    return Search([MARKER], spellings_inside)


def test_the_whole_suite_leaves_no_token_anywhere() -> None:
    ignored = [f"--ignore={SUITE}/{name}.py" for name in PLANTING]
    with kept("redacted", SUITE, *ignored, *(f"--deselect={test}" for test in QUIET)) as folder:
        logs = [log.read_bytes() for log in folder.rglob("brokerd.log")]
        assert sum(b"DEBUG broker.talkative: obtained Credential" in log for log in logs) > 50
        assert any((folder / "told").iterdir())
        assert [name for name in search().files(folder) if not name.endswith(FAKES_OWN)] == []


def test_without_the_redaction_a_slice_of_it_leaves_tokens_in_logs_and_in_what_is_told() -> None:
    with kept("bare", f"{SUITE}/test_outage.py") as folder:
        found = {Path(name).name for name in search().files(folder)}

    assert {"brokerd.log", "-v1-logs"} <= found
