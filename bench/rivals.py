"""The rivals: what else answers `keyring get` on such a machine, installed in throw-away environments.

Their clouds are the tests' fakes, over TLS and under the real host names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.servers import SECRET, URL
from bench.whole_process import Command
from tests.e2e.household import AZURE_FEED
from tests.fakes.aws import Aws, Home
from tests.fakes.az_program import Conduct
from tests.fakes.google import Files, Google

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.household import Household

NOFUSS = "artifacts-keyring-nofuss"
GOOGLE = "keyrings.google-artifactregistry-auth"
CODEARTIFACT = "keyrings.codeartifact"
GOOGLE_FEED = "https://europe-west1-python.pkg.dev/acme-project/corp/simple/"
CODEARTIFACT_FEED = "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/"
SLOW_EVERY = 40
"""A rival that takes seconds is run this seldom: its median is as sharp."""


class Absent(NamedTuple):
    """A rival that cannot be measured here, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


def programs_of(distribution: str, folder: Path) -> Path | Absent:
    """The programs of an environment with `keyring` and one plug-in, made below the folder if need be."""
    home = folder / distribution
    if not home.exists():
        venv.create(home, with_pip=True)
        command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "keyring", distribution]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(home)
            return Absent(distribution, "pip cannot get it")
    return home / "bin"


def plain_keyring() -> Command:
    """The `keyring` command with a backend that knows nothing, told by name: it searches for no others."""
    return Command(
        "keyring, empty backend",
        [str(Path(sys.executable).parent / "keyring"), "get", URL, "ci"],
        {"PATH": os.environ["PATH"], "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
        code=1,
        every=20,
    )


def nofuss(house: Household, folder: Path, pause_s: float) -> Command | Absent:
    """nofuss, with an az that takes `pause_s` beside the start of a small Python program."""
    house.az.behave(Conduct(pause_s=pause_s))
    return _asking(f"keyring + nofuss, az of {pause_s:g} s", NOFUSS, folder, AZURE_FEED, house.environment)


def official(house: Household, folder: Path) -> Iterator[Command | Absent]:
    """The official plug-ins of Google and CodeArtifact, signed in."""
    Google().attach(house.proxy)
    Aws().attach(house.proxy)
    Files(house.home).user()
    Home(house.home).key()
    trusted = house.environment["REQUESTS_CA_BUNDLE"]
    environment = {**house.environment, "AWS_CA_BUNDLE": trusted, "AWS_EC2_METADATA_DISABLED": "true"}
    yield _asking("keyring + Google's plug-in", GOOGLE, folder, GOOGLE_FEED, environment)
    yield _asking("keyring + CodeArtifact's plug-in", CODEARTIFACT, folder, CODEARTIFACT_FEED, environment)


def _asking(
    name: str, distribution: str, folder: Path, feed: str, environment: Mapping[str, str]
) -> Command | Absent:
    """The `keyring` of the distribution's environment, once it was seen to answer."""
    programs = programs_of(distribution, folder)
    if isinstance(programs, Absent):
        return programs
    command = [str(programs / "keyring"), "--mode", "creds", "get", feed]
    seen = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if seen.returncode != 0 or len(seen.stdout.splitlines()) < 2:  # noqa: PLR2004 - username and password
        last = seen.stderr.strip().rpartition("\n")[2]
        return Absent(name, f"it does not answer: {last}")
    return Command(name, command, environment, every=SLOW_EVERY)


@contextmanager
def git_cache(folder: Path) -> Iterator[Command | Absent]:
    """`git credential-cache get` with its daemon filled."""
    git = shutil.which("git")
    if git is None:
        yield Absent("git", "no such program")
        return
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    question = folder / "question"
    question.write_text("protocol=https\nhost=feed.example\n\n")
    (folder / "git").mkdir(mode=0o700)
    command = [git, "credential-cache", "--socket", str(folder / "git" / "socket")]
    credential = f"protocol=https\nhost=feed.example\nusername=ci\npassword={SECRET}\n\n"
    subprocess.run([*command, "store"], input=credential, text=True, env=environment, check=True)
    try:
        with question.open() as stdin:
            get = [*command, "get"]
            found = subprocess.run(get, stdin=stdin, env=environment, capture_output=True, check=True)
        assert SECRET.encode() in found.stdout
        yield Command("git credential-cache get", get, environment, stdin=question)
    finally:
        subprocess.run([*command, "exit"], env=environment, check=True)


@contextmanager
def ssh_agent(folder: Path) -> Iterator[Command | Absent]:
    """`ssh-add -l` with an agent that holds one key."""
    add, agent, keygen = (shutil.which(name) for name in ("ssh-add", "ssh-agent", "ssh-keygen"))
    if add is None or agent is None or keygen is None:
        yield Absent("ssh-add", "no such program")
        return
    path, key = folder / "agent.sock", folder / "key"
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "SSH_AUTH_SOCK": str(path)}
    running = subprocess.Popen([agent, "-D", "-a", str(path)], stdout=subprocess.DEVNULL, env=environment)
    try:
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        while subprocess.run(
            [add, "-q", str(key)], env=environment, check=False, capture_output=True
        ).returncode:
            assert running.poll() is None
        yield Command("ssh-add -l", [add, "-l"], environment)
    finally:
        running.terminate()
        running.wait()
