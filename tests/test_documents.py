"""The pages of docs/: what can be tried of them is tried."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from broker.core.share_grant import LONGEST_S
from broker.ctl.share import INSIDE

ROOT = Path(__file__).parents[1]
CONTAINERS = (ROOT / "docs" / "containers.md").read_text()
RESULTS = (ROOT / "bench" / "RESULTS.md").read_text()
FLEET = (ROOT / "docs" / "fleet.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_devcontainer_mounts_the_folder_where_the_client_is_told_to_look() -> None:
    (devcontainer,) = (json.loads(block) for block in blocks(CONTAINERS, "json"))

    assert f",target={INSIDE},type=bind,readonly" in devcontainer["mounts"][0]
    assert devcontainer["containerEnv"]["TOKEN_BROKER_SOCKET"] == f"{INSIDE}/broker.sock"
    assert devcontainer["initializeCommand"].startswith("brokerctl share --feed ")


def test_every_line_that_starts_a_container_with_a_share_mounts_its_folder_read_only() -> None:
    commands = "".join(blocks(CONTAINERS, "sh")).replace("\\\n", " ")
    shared = [line for line in commands.splitlines() if "TOKEN_BROKER_SOCKET=/run" in line]

    assert len(shared) == 2
    assert all(f'token-broker/shares/dev:{INSIDE}:ro"' in line for line in shared)


def test_the_playbooks_commands_are_those_of_the_page() -> None:
    (text,) = blocks(FLEET, "yaml")
    ((play,), typed) = (yaml.safe_load(text), "".join(blocks(FLEET, "sh")))
    tasks = {name: task for task in play["tasks"] for name in task if name.startswith("ansible.")}

    assert tasks["ansible.builtin.command"]["ansible.builtin.command"] in typed
    pip = tasks["ansible.builtin.pip"]["ansible.builtin.pip"]
    assert f"{pip['virtualenv_command']} {pip['virtualenv']}" in typed
    assert "--no-index --find-links" in pip["extra_args"]


def test_the_longest_life_is_told() -> None:
    assert f"a share lives for {LONGEST_S / 86400:.0f} days at most" in CONTAINERS


def test_the_actions_of_the_pages_job_are_as_new_as_our_own() -> None:
    """Ours are kept up by dependabot, which sees no page: an old action ends with the Node that it needs."""
    own = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    used = set(re.findall(r"uses: (\S+)@(v\d+)", (ROOT / "docs" / "ci" / "github-actions.yml").read_text()))

    assert used
    assert used <= set(re.findall(r"uses: (\S+)@[0-9a-f]{40} # (v\d+)", own))


def test_pages_that_are_linked_are_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", CONTAINERS + FLEET)

    assert [link for link in linked if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.long
def test_the_fleets_table_is_what_the_simulation_prints() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "bench" / "fleet.py"], capture_output=True, text=True, check=True
    ).stdout

    assert printed in blocks(FLEET, "")


def test_the_shim_in_python_is_as_slow_as_was_measured() -> None:
    told = re.search(r"more than (\d+) times as long", (ROOT / "docs/install.md").read_text())
    measured = {
        name: float(ratio)
        for name, ratio in re.findall(
            r"^\| ((?:native|Python) shim[^|:]*?) *\| *([0-9.]+) \(", RESULTS.split("\n## ")[1], re.MULTILINE
        )
    }

    ratios = [measured["Python shim"] / measured[f"native shim ({cc})"] for cc in ("cc", "musl-gcc")]
    assert told is not None
    assert all(int(told[1]) < ratio < 2 * int(told[1]) for ratio in ratios), ratios


WORDS_IN_FIVE_MINUTES = 150 * 5 + 50
"""Read aloud, at 150 words a minute; names of pages are read faster than sentences."""


def test_readme_is_read_aloud_in_five_minutes() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("|"))

    assert len(re.sub(r"\]\([^)]*\)", "", prose).split()) <= WORDS_IN_FIVE_MINUTES
