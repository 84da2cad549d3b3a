"""Podman on the machine: Debian's own, for root and, rootless, for alice; and an image to start from.

The image is Debian with Python and pip, made by debootstrap once and kept in pytest's cache. No
engine pulls any. What the machine below takes away is set in containers.conf: cgroups, a network of
the container's own and limits that only a real root may raise.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systemd.machine import Done

if TYPE_CHECKING:
    from tests.systemd.account import Account
    from tests.systemd.machine import Machine

NEEDED = ("podman", "crun", "newuidmap", "fuse-overlayfs", "debootstrap")
PACKAGES = "python3,python3-pip,ca-certificates"
BASE = "docker.io/library/python:3.12-slim"
"""What the pages start from; here it is Debian's Python."""

CONFIGURATION = """[containers]
default_ulimits = []
cgroups = "disabled"
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
SUBORDINATE = "alice:200000:65536\n"
DOCKER = """docker() {
    [ -z "$UV_INDEX_CORP_PASSWORD" ] || printf 'UV_INDEX_CORP_PASSWORD=%q ' "$UV_INDEX_CORP_PASSWORD"
    printf '%q ' podman "$@"
}"""
BOOTSTRAP_S = 1200
COMMAND_S = 300
CHROOT = {"BUILDAH_ISOLATION": "chroot"}


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]


def debian(cache: Path) -> Path:
    """The image's files as a tar file below `cache`, made where it is not there."""
    made = cache / "bookworm.tar"
    if not made.exists():
        with tempfile.TemporaryDirectory() as place:
            options = ["--variant=minbase", f"--include={PACKAGES}"]
            bootstrap = ["debootstrap", *options, "bookworm", place]
            subprocess.run(bootstrap, check=True, capture_output=True, timeout=BOOTSTRAP_S)
            Path(place).chmod(0o755)  # it becomes the image's root, which its users may enter
            # Python's own image lets pip install beside the system's packages
            left_out = ["--exclude=./var/cache/apt/archives", "--exclude=*/EXTERNALLY-MANAGED"]
            new = made.with_suffix(".new")
            subprocess.run(["tar", "-C", place, *left_out, "-cf", new, "."], check=True)
            new.rename(made)
    return made


class Podman:
    """`alice` runs containers rootless, `root` as Docker's daemon would."""

    def __init__(self, machine: Machine, alice: Account, image: Path) -> None:
        self.machine = machine
        self.alice = alice
        settings = machine.root / "etc/containers/containers.conf.d/tests.conf"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(CONFIGURATION)
        for file in ("subuid", "subgid"):
            (machine.root / "etc" / file).write_text(SUBORDINATE)
        shutil.copy(image, machine.root / "srv/image.tar")
        self.as_alice(f"podman import -q /srv/image.tar {BASE}")
        self.as_root(f"podman import -q /srv/image.tar {BASE}")

    def as_alice(self, line: str, *, folder: str = "", check: bool = True) -> Done:
        """Have alice type a line, from a folder of her home."""
        return self._typed("alice", line, f"{self.alice.seen_home}/{folder}", check=check)

    def as_root(self, line: str, *, check: bool = True) -> Done:
        """Have root type it."""
        return self._typed("root", line, "/", check=check)

    def as_docker(self, line: str, *, folder: str = "", check: bool = True) -> Done:
        """Have alice type a line for Docker: her shell makes its words, and root's engine does them."""
        words = self.as_alice(f"{DOCKER}\n{line}", folder=folder).stdout
        return self._typed("root", words, f"{self.alice.seen_home}/{folder}", check=check)

    def _typed(self, user: str, line: str, folder: str, *, check: bool) -> Done:
        variables = {"PATH": f"{self.alice.bin}:/usr/sbin:/usr/bin:/sbin:/bin", **CHROOT}
        command = self.machine.command(user, ["env", "-C", folder, "bash", "-c", line], variables)
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
        assert not check or done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr)
