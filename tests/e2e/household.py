"""A household: one user's home, runtime directory, configuration and PATH on this machine, with a fake cloud
behind the corporate proxy and a signed-in az. Everything of it lies below one folder, so that a test can look
through all of it. Next: `brokerd.py`, the daemon that serves in it.
"""

from __future__ import annotations

import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.brokerd import PROGRAM as BROKERD
from tests.e2e.brokerd import Brokerd
from tests.e2e.patience import until
from tests.e2e.traces import Search
from tests.fakes.authority import shared_authority
from tests.fakes.az import AzureCli
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.clients import PYTHON, UV, Outcome, clean_environment, outcome_of
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.feed_service import AUTHORITY_HOST
from tests.fakes.index import PackageIndex
from tests.fakes.journal import Journal
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.fakes.http1 import Answer, Request

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
SHIM = Path(sysconfig.get_path("scripts")) / "keyring-shim"
SYSTEM_PATH = "/usr/bin:/bin"

TENANT = "11111111-2222-3333-4444-555555555555"
USER = "dev@acme.example"
AZURE_FEED = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
AZURE_UPLOAD = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/upload/"
OLD_AZURE_FEED = "https://acme.pkgs.visualstudio.com/_packaging/corp/pypi/simple/"
PLAIN_HOST = "packages.example"
PLAIN_FEED = f"https://{PLAIN_HOST}/simple/"
PLAIN_PASSWORD = "correct-horse-battery"

PACKAGE = wheel("demo-package", "1.0", requires=("demo-dependency",))
DEPENDENCY = wheel("demo-dependency", "2.0")


class Household:
    """`acme` is the organisation with the feed `corp`, `packages` a plain index that takes one password.

    The user is signed in to az; the environment leads every client, the daemon and az through the proxy.
    """

    def __init__(self, folder: Path, proxy: ConnectProxy, az: AzureCli) -> None:
        self.folder = folder
        self.proxy = proxy
        self.az = az
        self.home, self.bin = folder / "home", folder / "bin"
        runtime, temporary = folder / "run", folder / "tmp"
        for made in (self.home, self.bin, runtime, temporary):
            made.mkdir(mode=0o700)
        (self.bin / "keyring").symlink_to(SHIM)
        self.socket = runtime / "token-broker" / "broker.sock"
        self.config = self.home / ".config" / "token-broker" / "config.toml"
        self.environment = {
            **proxy.environment(clean_environment(self.home)),
            **az.environment,
            "PATH": f"{self.bin}:{az.bin}:{SYSTEM_PATH}",
            "XDG_RUNTIME_DIR": str(runtime),
            "TMPDIR": str(temporary),
            "UV_KEYRING_PROVIDER": "subprocess",
            "PIP_KEYRING_PROVIDER": "subprocess",
            "TOKEN_BROKER_AUTOSTART": "0",  # a daemon that died must not be replaced behind a test's back
        }
        self.cloud = AzureDevOps()
        self.cloud.attach(proxy)
        self._bearers: Journal[str] = Journal()
        proxy.route(AUTHORITY_HOST, self._note_bearer)
        self.acme = self.cloud.organisation("acme", tenant=TENANT, feeds={"corp": [PACKAGE, DEPENDENCY]})
        az.sign_in(USER, [TENANT])
        self.packages = PackageIndex([PACKAGE, DEPENDENCY], passwords=[PLAIN_PASSWORD])
        proxy.route(PLAIN_HOST, self.packages)

    @property
    def tokens(self) -> set[str]:
        """Every token that was issued so far and seen: the session tokens, and the bearers they cost."""
        return {token.value for token in self.acme.issued} | set(self._bearers)

    def _note_bearer(self, request: Request) -> Answer:
        if request.bearer is not None:
            self._bearers.add(request.bearer)
        return self.cloud._authority(request)

    def configure(self, text: str) -> None:
        """Write the user's configuration."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def keep_secret(self, name: str, secret: str) -> str:
        """Put a secret into a file of the user's; returns how a configuration names it.

        A file that has it already is left alone: a daemon fetches anew from one that was written again.
        """
        kept = self.home / name
        if not kept.exists() or kept.read_text() != secret:
            kept.touch(mode=0o600)
            kept.write_text(secret)
        return f"file:{kept}"

    def plain_feed(
        self, name: str = "plain", *, url: str = PLAIN_FEED, password: str = PLAIN_PASSWORD
    ) -> str:
        """The configuration of a feed with a password in a file."""
        secret = self.keep_secret(f"{name}.secret", password)
        return feed(name, url, f'provider = "basic"\nusername = "ci"\nsecret = "{secret}"')

    def forked_brokerd(self, *options: str) -> Brokerd:
        """The same without the half second of a start, for tests of what it does and not of what `/proc`
        shows of it.
        """
        return self.brokerd(*options, program=None)

    def brokerd(self, *options: str, program: Sequence[str | Path] | None = (BROKERD,)) -> Brokerd:
        """The daemon of this home; a context manager. All of them write to one log."""
        return Brokerd(
            *options,
            environment=self.environment,
            socket=self.socket,
            log=self.folder / "brokerd.log",
            program=program,
        )

    def keyring(self, *arguments: str, **more: str) -> Outcome:
        """The shim as a client runs it, with `more` variables."""
        return self._run([self.bin / "keyring", *arguments], self.home, more)

    def brokerctl(self, *words: str, **more: str) -> Outcome:
        """The user's tool, with `more` variables."""
        return self._run([BROKERCTL, *words], self.home, more)

    def uv(self, *arguments: str, cwd: Path, environment: Mapping[str, str]) -> Outcome:
        """The real uv in a folder, with more variables."""
        return self._run([UV, *arguments], cwd, environment)

    def uv_pip(self, *arguments: str | Path) -> Outcome:
        """The real `uv pip`."""
        return self._run([UV, "pip", *arguments], self.home, {})

    def pip(self, *arguments: str | Path, python: Path = PYTHON) -> Outcome:
        """The real pip of `python`, without prompts."""
        return self._run([python, "-m", "pip", "--no-input", *arguments], self.home, {})

    def _run(self, command: Sequence[str | Path], cwd: Path, more: Mapping[str, str]) -> Outcome:
        return outcome_of(command, cwd, {**self.environment, **more})

    def project(self, folder: Path, uv_settings: str) -> None:
        """Make a project in the folder that needs PACKAGE, with these tables of uv's."""
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "household"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["{PACKAGE.name}"]\n\n[tool.uv]\npackage = false\n\n{uv_settings}\n'
        )


def feed(name: str, url: str, settings: str = "") -> str:
    """One feed of a configuration."""
    return f'[[feed]]\nname = "{name}"\nurl = "{url}"\n{settings}\n'


@contextmanager
def household() -> Iterator[Household]:
    """A new household, below a path short enough for a socket. Nobody who lived in it may outlive it."""
    with (
        tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder,
        ConnectProxy(shared_authority()) as proxy,
        AzureCli(Path(folder).resolve() / "az") as az,
    ):
        made = Household(Path(folder).resolve(), proxy, az)
        yield made
        inhabitants = Search([str(made.home)])
        until(lambda: not inhabitants.processes(), f"end of all processes of {made.home}")
