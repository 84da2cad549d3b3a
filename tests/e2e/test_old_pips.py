"""A pip that is too old to ask: `why` says so, and the line that it prints replaces it by one that asks."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import DEPENDENCY, PACKAGE, PLAIN_FEED, PLAIN_PASSWORD, Household
from tests.e2e.test_lowest_clients import installed
from tests.e2e.why_cases import AS_CI
from tests.fakes.clients import outcome_of
from tests.fakes.index import PackageIndex

if TYPE_CHECKING:
    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.long]

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
PUBLIC_HOST = "public.example"

FILE = f"{PLAIN_FEED}-/files/demo_package-1.0-py3-none-any.whl"
OLD = {
    "a file's own address": ("pip<26.2", FILE),
    "a direct reference": (
        "pip<26.2",
        f"demo-package @ {PLAIN_FEED}-/files/demo_package-1.0-py3-none-any.whl",
    ),
    "runs no program": ("pip<23.1", "demo-package", "--index-url", AS_CI),
}
"""The pip, and what it is told to install."""


@pytest.mark.parametrize("name", OLD)
def test_the_line_that_replaces_an_old_pip_makes_its_command_succeed(
    house: Household, toolbox: Toolbox, tmp_path: Path, name: str
) -> None:
    requirement, *wanted = OLD[name]
    programs = installed(tmp_path / "old", requirement)
    house.proxy.route(PUBLIC_HOST, PackageIndex([toolbox.newest("pip"), PACKAGE, DEPENDENCY], public=True))
    house.configure(f"auto = false\n{house.plain_feed()}")
    words = ("--no-input", "install", "--no-cache-dir", "--no-deps", "--target", "in", *wanted)
    command: list[str | Path] = [programs / "pip", *words]
    environment = {**house.environment, "PIP_INDEX_URL": f"https://{PUBLIC_HOST}/simple/"}

    with house.brokerd():
        told = outcome_of([BROKERCTL, "why", "--json", "--", *command], tmp_path, environment)
        findings = json.loads(told.stderr.splitlines()[-1])["findings"]
        [found] = [each for each in findings if each["level"] != "fine"]
        replaced = outcome_of(["sh", "-c", found["repair"]], tmp_path, environment)
        done = outcome_of(command, tmp_path, environment)

    assert told.exit_code != 0
    assert found["check"] == "old-pip"
    assert "pip 26.2 and later do" in found["said"] or "pip 26.2 does" in found["said"]
    assert replaced.exit_code == 0, replaced.text
    assert done.exit_code == 0, done.text
    assert PLAIN_PASSWORD not in told.text
