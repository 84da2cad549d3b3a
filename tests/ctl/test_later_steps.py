"""`brokerctl exec --github-env` and `--azure-pipelines`: a job of steps as their runners run them.

The steps are real processes; what the runners do between them (read the files, obey the logging commands, end
what a job has left behind) is done here as they document it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ci_runner import files_of_a_step, obey_commands, obey_files
from tests.ctl.conftest import Ended
from tests.ctl.test_exec import BROKERCTL, FAILING, PATIENCE_S, TOKEN, configure, left_behind
from tests.e2e.patience import until
from tests.processes import kill, of_a_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Begin = Callable[["Job"], Ended]

FEED = "https://packages.example.com/simple/"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for a job's processes in /proc")


@dataclass
class Job:
    """A job whose steps share `environ`, which the runner changes by what a step tells it."""

    tracked_by: str
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The runner's variable that is in the environment of everything the job starts."""
        return f"{self.tracked_by}=job-{os.getpid()}-{self.folder.name}"

    def step(self, *words: str | Path, secrets: dict[str, str] | None = None) -> Ended:
        """Run one step; `secrets` are in its environment alone, as `env:` of a step is."""
        name, _, value = self.mark.partition("=")
        environment = {**os.environ, **self.environ, name: value, **(secrets or {})}
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environment
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def orphans(self) -> dict[int, str]:
        """The processes that carry the job's mark where everybody can read it, with how each was started."""
        left = of_a_job(self.mark).items()
        return {pid: carried.replace(b"\0", b"\n").decode(errors="replace") for pid, carried in left}

    def end(self) -> None:
        """The end of the job: what it has left behind is killed."""
        kill(self.orphans())


def github_env(job: Job) -> Ended:
    """The step that starts the broker; then the runner reads the step's two files."""
    secrets = {"FEED_TOKEN": TOKEN, **files_of_a_step(job.folder)}
    ended = job.step(BROKERCTL, "exec", "--github-env", secrets=secrets)
    obey_files(job.folder, job.environ)
    return ended


def azure_pipelines(job: Job) -> Ended:
    """The same where the agent obeys what a step prints."""
    token = {"FEED_TOKEN": TOKEN, "TF_BUILD": "True"}
    ended = job.step(BROKERCTL, "exec", "--azure-pipelines", secrets=token)
    obey_commands(ended.stdout, job.environ)
    return ended


BEGINNINGS = pytest.mark.parametrize(
    ("begin", "tracked_by"),
    [(github_env, "RUNNER_TRACKING_ID"), (azure_pipelines, "VSTS_PROCESS_LOOKUP_ID")],
)


@pytest.fixture
def job(room: Path, tmp_path: Path, tracked_by: str) -> Iterator[Job]:
    """A job with one feed, whose token is in the environment of the first step alone."""
    configure(
        room,
        f'[[feed]]\nname = "corp"\nurl = "{FEED}"\nprovider = "basic"\nusername = "ci"\n'
        'secret = "env:FEED_TOKEN"\nverify = false\n',
    )
    job = Job(tracked_by, tmp_path)
    yield job
    job.end()
    until(lambda: not left_behind(room), "end of the job")


@BEGINNINGS
def test_later_step_is_answered_though_nothing_secret_was_told(job: Job, begin: Begin) -> None:
    begun = begin(job)
    answer = job.step("keyring", "get", FEED, "ci")

    assert (begun.exit_code, begun.stderr) == (0, "")
    assert answer == Ended(0, f"{TOKEN}\n", "")
    assert {"UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER"} <= job.environ.keys()
    told = [
        begun.stdout,
        *(file.read_text() for file in job.folder.glob("GITHUB_*")),
        *job.orphans().values(),
    ]
    assert not [text for text in told if TOKEN in text]


@BEGINNINGS
def test_broker_ends_with_the_job_and_leaves_nothing(job: Job, room: Path, begin: Begin) -> None:
    begin(job)
    before = left_behind(room)

    job.end()

    until(lambda: not left_behind(room), "end of the broker's directory")
    until(lambda: job.step(BROKERCTL, "status").exit_code == 3, "end of the broker")
    assert len(before) == 1


@pytest.mark.long
@pytest.mark.parametrize("tracked_by", ["RUNNER_TRACKING_ID"])
def test_broker_that_is_killed_takes_its_guard_with_it(job: Job, room: Path) -> None:
    github_env(job)
    status = job.step(BROKERCTL, "status", "--json").stdout
    pid = int(re.findall(r'"pid": (\d+)', status)[0])

    os.kill(pid, signal.SIGKILL)

    until(lambda: not job.orphans(), "end of the guard")
    until(lambda: not left_behind(room), "end of the broker's directory")


@pytest.mark.parametrize("tracked_by", ["RUNNER_TRACKING_ID"])
def test_index_of_the_project_gets_a_user_name_for_all_later_steps(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uv.toml").write_text(f'[[index]]\nname = "corp"\nurl = "{FEED}"\n')

    github_env(job)

    assert job.environ["UV_INDEX_CORP_USERNAME"] == "ci"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--github-env",), "GITHUB_ENV is not set: this is no step of GitHub Actions"),
        (("--azure-pipelines",), "TF_BUILD is not set: this is no step of Azure Pipelines"),
        (("--github-env", "--azure-pipelines"), "exclude each other"),
        (("--github-env", "true"), "exclude each other"),
    ],
)
def test_step_that_cannot_tell_the_later_ones_leaves_nothing(
    room: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    for name in ("GITHUB_ENV", "GITHUB_PATH", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)

    done = subprocess.run(
        [BROKERCTL, "exec", *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )

    assert (done.returncode, done.stdout) == (125, "")
    assert said in done.stderr
    assert left_behind(room) == []


@pytest.mark.parametrize("tracked_by", ["RUNNER_TRACKING_ID"])
def test_broken_configuration_fails_the_first_step_and_leaves_nothing(job: Job, room: Path) -> None:
    configuration = room / ".config" / "token-broker" / "config.toml"
    configuration.write_text("tll = 1\n")

    ended = github_env(job)

    assert ended.exit_code == 125
    assert "config.toml, line 1" in ended.stderr
    assert "TOKEN_BROKER_SOCKET" not in job.environ


@pytest.mark.long
@pytest.mark.parametrize("tracked_by", ["RUNNER_TRACKING_ID"])
def test_later_look_up_that_fails_says_why_and_status_shows_it(job: Job, room: Path) -> None:
    configuration = room / ".config" / "token-broker" / "config.toml"
    configuration.write_text(f"[[feed]]\n{FAILING}")
    github_env(job)

    failed = job.step("keyring", "get", "https://labs.example.com/", "x")

    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "labs: " in failed.stderr
    assert job.step(BROKERCTL, "status", "--short").stdout == "feeds 0/1 !labs\n"
