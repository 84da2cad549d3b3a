"""A second user, for the tests that need one: any uid will do, it needs no account."""

import functools
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

STRANGER = 64321

two_users = pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user, which only root can become")


def start_as(uid: int, program: str, *arguments: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A Python program that this user runs, with pipes; it may import the standard library only."""
    return _start([python_for(uid), "-I", "-c", program, *arguments], uid, stdin)


def run_as(uid: int, program: str, *arguments: str) -> str:
    """What such a program prints."""
    with start_as(uid, program, *arguments) as process:
        printed, complaint = process.communicate(timeout=30)
    assert process.returncode == 0, complaint
    return printed.strip()


@functools.cache
def python_for(uid: int) -> str:
    """A Python that this user can run: the tests' own may lie in a home that others cannot enter."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            with _start([python, "-I", "-c", ""], uid) as process:
                process.communicate(timeout=30)
        except OSError:
            continue
        if process.returncode == 0:
            return python
    pytest.skip(f"no Python that uid {uid} can run")


def _start(argv: Sequence[str], uid: int, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    other = uid if uid != os.geteuid() else None
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=other,
        group=other,
        extra_groups=None if other is None else [],
    )
