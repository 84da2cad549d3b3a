"""Each job of docs/ci is played as its runner documents it, and installs from its feed with the real uv.

Stand-ins: the clouds, `pip` and `python3 -m venv` (tests/test_install_page.py installs from wheels), and the
project's `pytest`. The runners themselves are theirs; what they do between steps is `tests/ci_runner.py`.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.ci_runner import files_of_a_step, obey_commands, obey_files
from tests.conftest import ROOT
from tests.e2e.field import WHEELS
from tests.e2e.household import AZURE_FEED, SYSTEM_PATH, TENANT
from tests.fakes.clients import PYTHON, Outcome, outcome_of
from tests.fakes.entra import Application
from tests.fakes.gitlab import GROUP_NUMBER, PROJECT_NUMBER, GitLab, Token
from tests.fakes.oidc import GITHUB_HOST, GithubOidc
from tests.processes import kill, of_a_job
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.household import Household

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for a job's processes in /proc"),
]

SCRIPTS = Path(sysconfig.get_path("scripts"))
APPLICATION = "66666666-7777-8888-9999-000000000000"
SUBJECT = "repo:acme/web:ref:refs/heads/main"
GITLAB_HOST = "git.example.com"
JOB_TOKEN = "glcbt-the-jobs-token"
PLACEHOLDERS = {"/ORG/": "/acme/", "/FEED/": "/corp/", "/PROJECT_ID/": f"/{PROJECT_NUMBER}/"}

PIP = f"""#!/bin/sh
# what the words ask for has to be there; then the programs are, beside this one
[ "$1" = install ] || exit 2
case " $* " in
*.whl*) for word; do case $word in *.whl) [ -f "$word" ] || exit 3 ;; esac; done ;;
*" --no-index --find-links wheels token-broker uv "*) [ -d wheels ] || exit 3 ;;
*) exit 4 ;;
esac
ln -sf {SCRIPTS}/brokerctl {SCRIPTS}/uv "$(dirname "$0")"
"""
VENV = f"""#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec {PYTHON} "$@"
mkdir -p "$3/bin" && cp "$(dirname "$0")/pip" "$3/bin"
"""
PYTEST = "#!/bin/sh\nexec python -c 'import demo_package; print(demo_package.version)'\n"
BACKEND = """
import tarfile, zipfile
NAME = "household-1"
def build_sdist(folder, config_settings=None):
    with tarfile.open(f"{folder}/{NAME}.tar.gz", "w:gz") as file:
        file.add("pyproject.toml", f"{NAME}/pyproject.toml"); file.add("backend.py", f"{NAME}/backend.py")
    return f"{NAME}.tar.gz"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    info, wheel = f"{NAME}.dist-info", f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{wheel}", "w") as file:
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: household\\nVersion: 1\\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(f"{info}/RECORD", "")
    return wheel
"""
BUILD = '\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def recipe(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / "docs/ci" / name).read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - strings only
    return found


GITHUB = recipe("github-actions.yml")
PIPELINES = {job["job"]: job for job in recipe("azure-pipelines.yml")["jobs"]}
GITLAB = {name: job for name, job in recipe("gitlab-ci.yml").items() if "script" in job}


def filled(text: str, values: dict[str, str]) -> str:
    """The text with what a runner puts in, and a reader of the page before it."""
    for mark, value in {**PLACEHOLDERS, **values}.items():
        text = text.replace(mark, value)
    assert not re.search(r"\$\{\{|\$\(System", text), text
    return text


@dataclass
class Job:
    """A job in its checkout; `tracked_by` is in the environment of all that it starts, which ends with it."""

    house: Household
    folder: Path
    tracked_by: str
    environ: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        tools = self.folder.parent / "tools"
        tools.mkdir()
        for name, text in (("pip", PIP), ("python3", VENV), ("pytest", PYTEST)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        (self.folder / "wheels").mkdir()
        for name in ("token_broker", "token_broker_client"):
            (self.folder / f"wheels/{name}-1-py3-none-any.whl").touch()
        told = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER", "TOKEN_BROKER_AUTOSTART")
        base = {name: value for name, value in self.house.environment.items() if name not in told}
        self.environ = {
            **base,
            "PATH": f"{tools}:{SYSTEM_PATH}",
            "UV_PYTHON": str(PYTHON),
            "CI": "true",
            self.tracked_by: f"job-of-{os.getpid()}",
        }

    def types(self, script: str, more: dict[str, str]) -> Outcome:
        """Run one step; it has to work."""
        shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
        done = outcome_of(shell, self.folder, {**self.environ, **more})
        self.said.append(done.text)
        assert done.exit_code == 0, f"{script}\n{done.text}"
        return done

    def end(self) -> None:
        """What the job left behind is killed; brokerd hides its environment and ends by itself."""
        kill(of_a_job(f"{self.tracked_by}=job-of-{os.getpid()}"))

    def holds(self, secret: str) -> bool:
        """Whether a step said the secret, or the later ones were told it."""
        return any(secret in text for text in (*self.said, *self.environ.values()))


@pytest.fixture
def job(house: Household, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Job]:
    house.config.unlink(missing_ok=True)
    folder = tmp_path / "checkout"
    folder.mkdir()
    made = Job(house, folder, request.param)
    yield made
    made.end()


def check_out(job: Job, index: str, credential: tuple[str, str]) -> None:
    """The project as its repository has it: with a lock that somebody with a credential made."""
    settings = f'[[tool.uv.index]]\nname = "corp"\nurl = "{index}"\ndefault = true\n'
    job.house.project(job.folder, settings + BUILD)
    (job.folder / "backend.py").write_text(BACKEND)
    named = dict(zip(("UV_INDEX_CORP_USERNAME", "UV_INDEX_CORP_PASSWORD"), credential, strict=True))
    locked = job.house.uv("lock", cwd=job.folder, environment=named)
    assert locked.exit_code == 0, locked.text


def assert_installed(job: Job) -> None:
    assert list(job.folder.glob(".venv/lib/python*/site-packages/demo_package.py")), job.said
    asked = {"pkgs.dev.azure.com", "git.example.com", "login.microsoftonline.com"}
    assert set(job.house.proxy.hosts) <= asked | {"pipelines.actions.githubusercontent.com"}  # no other index


@pytest.mark.parametrize("job", ["RUNNER_TRACKING_ID"], indirect=True)
@pytest.mark.parametrize("name", sampled(GITHUB["jobs"].keys(), []))
def test_job_of_github_actions_installs(job: Job, name: str) -> None:
    github = GithubOidc(SUBJECT)
    job.house.proxy.route(GITHUB_HOST, github)
    job.house.cloud.entra.register(Application(APPLICATION, TENANT, federated_subject=SUBJECT))
    check_out(
        job,
        AZURE_FEED.replace("//", "//VssSessionToken@"),
        ("VssSessionToken", job.house.acme.issue("dev").value),
    )
    values = {"${{ vars.AZURE_CLIENT_ID }}": APPLICATION, "${{ vars.AZURE_TENANT_ID }}": TENANT}
    told = {key: filled(value, values) for key, value in GITHUB["env"].items()}
    if GITHUB["permissions"]["id-token"] == "write":
        told |= github.environment
    job.environ |= {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(job.folder.parent), **told}

    for step in GITHUB["jobs"][name]["steps"]:
        if "run" not in step or step.get("if") == "failure()":
            continue
        more = {key: filled(value, {}) for key, value in step.get("env", {}).items()}
        job.types(filled(step["run"], {}), {**more, **files_of_a_step(job.folder.parent)})
        obey_files(job.folder.parent, job.environ)

    assert_installed(job)
    assert len(github.requests) == 1, "one token for the whole job"
    assert not [token for token in job.house.tokens if job.holds(token)]


@pytest.mark.parametrize("job", ["VSTS_PROCESS_LOOKUP_ID"], indirect=True)
@pytest.mark.parametrize("name", sampled(PIPELINES.keys(), ["wrapped"]))
def test_job_of_azure_pipelines_installs(job: Job, name: str) -> None:
    token = job.house.acme.issue("Project Collection Build Service (acme)").value
    check_out(job, AZURE_FEED.replace("//", "//VssSessionToken@"), ("VssSessionToken", token))
    job.environ |= {"TF_BUILD": "True"}

    for step in PIPELINES[name]["steps"]:
        if step.get("condition") == "failed()":
            continue
        more = {
            key: filled(value, {"$(System.AccessToken)": token}) for key, value in step.get("env", {}).items()
        }
        obey_commands(job.types(filled(step["script"], {}), more).stdout, job.environ)

    assert_installed(job)
    assert not job.holds(token)


@pytest.mark.parametrize("job", ["CI_JOB_ID"], indirect=True)
@pytest.mark.parametrize("name", sampled(GITLAB.keys(), []))
def test_job_of_gitlab_ci_installs(job: Job, name: str) -> None:
    gitlab = GitLab(WHEELS)
    gitlab.tokens[JOB_TOKEN] = Token(
        username="gitlab-ci-token", opens=frozenset({PROJECT_NUMBER, GROUP_NUMBER})
    )
    job.house.proxy.route(GITLAB_HOST, gitlab)
    index = f"https://gitlab-ci-token@{GITLAB_HOST}/api/v4/projects/{PROJECT_NUMBER}/packages/pypi/simple/"
    check_out(job, index, ("gitlab-ci-token", JOB_TOKEN))
    job.environ |= {
        "GITLAB_CI": "true",
        "CI_JOB_TOKEN": JOB_TOKEN,
        "CI_SERVER_HOST": GITLAB_HOST,
        "CI_API_V4_URL": f"https://{GITLAB_HOST}/api/v4",
    }
    variables = {
        key: filled(value, {"$CI_SERVER_HOST": GITLAB_HOST})
        for key, value in GITLAB[name].get("variables", {}).items()
    }

    job.types("\n".join(GITLAB[name]["script"]), variables)

    assert_installed(job)
    assert not [text for text in job.said if JOB_TOKEN in text]
