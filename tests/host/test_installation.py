"""The line that puts packages beside this program is one that its environment can type."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from broker.ctl.broker_process import AGAIN
from broker.host.installation import line_that_installs
from tests.fakes.clients import UV
from tests.fakes.wheels import wheel
from tests.typed_line import type_line

MAKERS = {
    "uv": [str(UV), "venv", "--quiet", "--python", sys.executable],
    "venv": [sys.executable, "-m", "venv"],
}
"""What makes an environment; uv makes one without pip."""


@pytest.mark.parametrize("maker", ["uv", pytest.param("venv", marks=pytest.mark.long)])
def test_the_line_installs_both_packages_from_the_folder_of_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maker: str
) -> None:
    environment = tmp_path / "an environment"
    subprocess.run([*MAKERS[maker], environment], check=True)
    (tmp_path / "wheels").mkdir()
    for each in (wheel("token-broker", "1.0"), wheel("token-broker-client", "1.0")):
        (tmp_path / "wheels" / each.filename).write_bytes(each.content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    if maker == "uv":
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    ended = type_line(
        line_that_installs(AGAIN), {"PATH": f"{UV.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    )

    assert ended.returncode == 0, ended.stderr
    names = {each.name for each in environment.glob("lib/python*/site-packages/*.dist-info")}
    assert {"token_broker-1.0.dist-info", "token_broker_client-1.0.dist-info"} <= names
