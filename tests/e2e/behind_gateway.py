"""Commands behind `brokerctl exec --gateway`, in a household whose clients have no keyring, name or token.
Next: `test_gateway.py`, which runs them.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sysconfig
import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.household import AZURE_FEED, SYSTEM_PATH, Household, feed, household
from tests.fakes.clients import PATIENCE_S, Outcome, outcome_of
from tests.fakes.http1 import Answer, Request, Response
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
_KEYRINGS = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")

SLOW_S = 4 * PATIENCE_S
"""npm and poetry on two busy cores."""


class Behind:
    """A household with feeds, and its user's broker where `runs_broker`; `run` runs what a person would."""

    def __init__(self, house: Household) -> None:
        self.house = house
        self.environment = {
            **{name: value for name, value in house.environment.items() if name not in _KEYRINGS},
            "PATH": f"{house.az.bin}:/usr/local/bin:{SYSTEM_PATH}",
        }

    def words(self, *command: str | Path, options: tuple[str, ...] = ("--gateway",)) -> list[str | Path]:
        """The command line."""
        return [BROKERCTL, "exec", *options, "--", *command]

    def run(
        self, *command: str | Path, cwd: Path, options: tuple[str, ...] = ("--gateway",), **more: str
    ) -> Outcome:
        """Run a command behind the gateway."""
        return self.plain(*self.words(*command, options=options), cwd=cwd, **more)

    def plain(self, *command: str | Path, cwd: Path, **more: str) -> Outcome:
        """Run a command as it is."""
        return outcome_of(command, cwd, {**self.environment, **more}, SLOW_S)

    def succeed(self, *command: str | Path, cwd: Path, **more: str) -> Outcome:
        """The same of a command that must succeed."""
        done = self.run(*command, cwd=cwd, options=("--gateway",), **more)
        assert done.exit_code == 0, done.text
        return done


class Files:
    """A service that has files by their path, for who brings the password; what came is noted."""

    def __init__(self, files: dict[str, tuple[str, bytes]], password: str) -> None:
        self.files = files
        self.requests: Journal[tuple[str, bool]] = Journal()
        self._password = password

    def __call__(self, request: Request) -> Answer:
        opens = request.basic is not None and request.basic[1] == self._password
        self.requests.add((request.path, opens))
        if not opens:
            return Response(401, headers=(("WWW-Authenticate", 'Basic realm="files"'),))
        found = self.files.get(request.path)
        return Response(404) if found is None else Response(200, found[1], (("Content-Type", found[0]),))


def npm_registry(host: str, password: str) -> Files:
    """One package, `demo-node` 1.0.0 (npm's registry API, `package metadata`)."""
    manifest = json.dumps({"name": "demo-node", "version": "1.0.0"}).encode()
    tarball = packed({"package/package.json": manifest, "package/index.js": b"module.exports = 1\n"})
    digest = hashlib.sha1(tarball, usedforsecurity=False).hexdigest()
    url = f"https://{host}/demo-node/-/demo-node-1.0.0.tgz"
    version = {"name": "demo-node", "version": "1.0.0", "dist": {"tarball": url, "shasum": digest}}
    document = {"name": "demo-node", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return Files(
        {
            "/demo-node": ("application/json", json.dumps(document).encode()),
            "/demo-node/-/demo-node-1.0.0.tgz": ("application/octet-stream", tarball),
        },
        password,
    )


def cargo_registry(host: str, password: str) -> Files:
    """One crate, `demo-crate` 0.1.0, in a sparse registry (the Cargo book, "Index Format")."""
    manifest = b'[package]\nname = "demo-crate"\nversion = "0.1.0"\nedition = "2021"\n'
    crate = packed({"demo-crate-0.1.0/Cargo.toml": manifest, "demo-crate-0.1.0/src/lib.rs": b""})
    entry = {"name": "demo-crate", "vers": "0.1.0", "deps": [], "features": {}, "yanked": False}
    entry["cksum"] = hashlib.sha256(crate).hexdigest()
    return Files(
        {
            "/index/config.json": ("application/json", json.dumps({"dl": f"https://{host}/dl"}).encode()),
            "/index/de/mo/demo-crate": ("text/plain", json.dumps(entry).encode() + b"\n"),
            "/dl/demo-crate/0.1.0/download": ("application/octet-stream", crate),
        },
        password,
    )


def git_repository(folder: Path, password: str) -> Files:
    """A repository for git's plain HTTP protocol, which only reads (gitprotocol-http(5))."""
    work = folder / "work"
    work.mkdir()
    for words in (
        ("init", "-q", "-b", "main"),
        (
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "first",
        ),
        ("clone", "-q", "--bare", ".", str(folder / "bare.git")),
        ("-C", str(folder / "bare.git"), "update-server-info"),
    ):
        subprocess.run(["git", *words], cwd=work, check=True, capture_output=True)
    bare = folder / "bare.git"
    return Files(
        {
            f"/demo.git/{file.relative_to(bare)}": ("text/plain", file.read_bytes())
            for file in bare.rglob("*")
            if file.is_file()
        },
        password,
    )


def packed(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of these files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(text))
    return content.getvalue()


@contextmanager
def behind_gateway(*feeds: str, runs_broker: bool = True) -> Iterator[Behind]:
    """A household with the feed of Azure, the plain one and these."""
    with household() as house:
        house.configure(feed("corp", AZURE_FEED) + house.plain_feed() + "".join(feeds))
        made = Behind(house)
        if not runs_broker:
            yield made
            return
        with house.forked_brokerd():
            yield made
