"""Who is asked to make a lost socket anew, and what is said where the manager does not agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.host.systemd_socket import renew_socket


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """With a systemctl that writes down what it is asked, and ends as a file beside it says."""
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\nexit "$(cat {tmp_path}/code)"\n')
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/1000"}


async def told(
    environ: dict[str, str], folder: Path, code: int, *, system: bool
) -> tuple[str | None, set[str]]:
    (folder / "code").write_text(str(code))
    line = await renew_socket(environ, system=system)
    return line, set((folder / "told").read_text().splitlines())


@pytest.mark.parametrize(("system", "whose"), [(False, "--user "), (True, "")])
async def test_the_manager_whose_socket_it_is_restarts_it(
    environ: dict[str, str], tmp_path: Path, system: bool, whose: str
) -> None:
    asked = {f"{whose}--no-block --no-ask-password restart token-broker.socket"}

    assert await told(environ, tmp_path, 0, system=system) == (None, asked)


@pytest.mark.parametrize(
    ("system", "line"),
    [(False, "brokerctl restart"), (True, "sudo systemctl restart token-broker.socket")],
)
async def test_where_the_manager_refuses_or_is_not_here_a_person_is_told_the_line(
    environ: dict[str, str], tmp_path: Path, system: bool, line: str
) -> None:
    refused, _ = await told(environ, tmp_path, 1, system=system)
    absent = await renew_socket({"PATH": str(tmp_path / "empty")}, system=system)

    assert (refused, absent) == (line, line)
