"""The line that puts packages beside this program is one that its environment can type."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.broker_process import AGAIN
from broker.host.installation import cause_outside, line_that_installs
from tests.ctl.test_exec import BROKERCTL
from tests.fakes.clients import UV
from tests.fakes.wheels import wheel
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable

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


def imports_nothing() -> object:
    return importlib.import_module("json.nothing")


def misses_a_name() -> object:
    return json.nothing  # type: ignore[attr-defined]


def is_wrong_in_a_package() -> object:
    return json.loads(1)  # type: ignore[arg-type]


ITS_FOLDER = str(Path(json.__file__).parent.parent)
WITHOUT = "env -u PYTHONPATH brokerctl doctor"


@pytest.mark.parametrize(
    ("act", "pythonpath", "line"),
    [
        (imports_nothing, "/elsewhere", WITHOUT),
        (imports_nothing, "", f"{sys.executable} -P -m pip check"),
        (misses_a_name, "/elsewhere", WITHOUT),
        (misses_a_name, "", None),
        (is_wrong_in_a_package, ITS_FOLDER, WITHOUT),
        (is_wrong_in_a_package, "/elsewhere", None),
    ],
)
def test_a_defect_of_packages_that_did_not_come_with_us_is_told_with_what_goes_without_or_names_them(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], pythonpath: str, line: str | None
) -> None:
    monkeypatch.setenv("PYTHONPATH", pythonpath)
    with pytest.raises((ImportError, AttributeError, TypeError)) as raised:
        act()

    assert cause_outside(raised.value, "brokerctl doctor") == line


def test_where_there_is_no_pip_uv_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    ended = type_line(
        cause_outside(ImportError(), ""), {"PATH": f"{UV.parent}:/usr/bin:/bin", "HOME": "/nowhere"}
    )

    assert "Checked " in ended.stderr


def test_packages_by_pythonpath_that_are_not_ours_lead_to_no_circle_of_hints(tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").touch()
    elsewhere = {
        "PATH": f"{BROKERCTL.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
    }

    ended = type_line("brokerctl logs", elsewhere)
    led_to = type_line(ended.stderr.rpartition("; run: ")[2], elsewhere)

    assert "a defect in brokerctl" in ended.stderr
    assert "keyring" in led_to.stdout
