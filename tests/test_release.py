"""The release workflow runs what is in .ci, and what it takes from others is pinned by commit."""

from __future__ import annotations

import os
import re
import tomllib

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STEPS = [
    step
    for path in WORKFLOWS
    for job in yaml.safe_load(path.read_text())["jobs"].values()
    for step in job["steps"]
]


@pytest.mark.parametrize("action", sorted({step["uses"] for step in STEPS if "uses" in step}))
def test_each_action_is_pinned_by_commit(action: str) -> None:
    assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)


@pytest.mark.parametrize(
    "command", sorted({word for step in STEPS for word in re.findall(r"\.ci/\w+", step.get("run", ""))})
)
def test_each_command_of_ours_is_there_and_can_be_run(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)


def test_no_job_may_do_more_than_its_steps_need() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}
        assert all("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("project", ["pyproject.toml", "client/pyproject.toml"])
def test_each_python_that_is_promised_is_run(project: str) -> None:
    promised = tomllib.loads((ROOT / project).read_text())["project"]["classifiers"]
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["linux"]["strategy"][
        "matrix"
    ]

    prefix = "Programming Language :: Python :: 3."
    assert matrix["python"] == [
        f"3.{each.removeprefix(prefix)}" for each in promised if each.startswith(prefix)
    ]


def test_linters_before_a_commit_are_those_of_ci() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]

    run = (ROOT / ".ci/run").read_text().replace(" --check", "").splitlines()
    assert {hook["entry"] for hook in hooks} <= {line.strip() for line in run}
