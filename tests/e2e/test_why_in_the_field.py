"""`brokerctl why` in the situations of the field, with the real uv and pip.

Each command fails without us, `why` names the cause and its place, and the line that it prints makes the same
command succeed.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.household import (
    AZURE_FEED,
    DEPENDENCY,
    PACKAGE,
    PLAIN_PASSWORD,
    TENANT,
    feed,
    household,
)
from tests.e2e.why_cases import (
    AS_CI,
    BEHIND_GATEWAY_ONLY,
    CASES,
    CURED_BY_GATEWAY,
    NOT_CURED_BY_GATEWAY,
    OF_DOCTOR,
    PIP_INSTALL,
    QUICK,
    QUICK_BEHIND_GATEWAY,
    STALE,
    Case,
)
from tests.fakes.clients import PYTHON, UV, Outcome
from tests.fakes.wheels import wheel
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.e2e.household import Household

pytestmark = pytest.mark.e2e

SCRIPTS = Path(sysconfig.get_path("scripts"))
BROKERCTL = SCRIPTS / "brokerctl"
REPLACED_LINE = re.compile(r"((?:publish-)?url|authenticate|index-url|--index-url|extra-index-url) ?=? ?\S")
REMOVED = re.compile(r"remove lines? (\d+)(?:-(\d+))? of (\S+)")
VERSIONS = itertools.count()
"""A feed takes a version once."""


@pytest.fixture(scope="module")
def house() -> Iterator[Household]:
    with household() as made:
        for name in ("labs", "morelabs"):
            made.cloud.organisation(name, tenant=TENANT, feeds={"corp": [PACKAGE, DEPENDENCY]})
        made.configure(f"auto = false\n{feed('corp', AZURE_FEED)}{made.plain_feed()}")
        with made.forked_brokerd():
            yield made


class Scene:
    """A case in a folder of its own."""

    def __init__(self, house: Household, folder: Path, old_python: Path, case: Case) -> None:
        self.house = house
        self.folder = folder
        self.target = folder / "target"
        published = wheel("household-published", f"3.{next(VERSIONS)}")
        self._words = {
            "{UV}": str(UV),
            "{PYTHON}": str(PYTHON),
            "{OLD}": str(old_python),
            "{T}": str(self.target),
            "{D}": str(folder),
            "{BIN}": str(house.bin),
            "{AZ}": str(house.az.bin),
            "{UVS}": str(UV.parent),
            "{WHEEL}": published.filename,
        }
        self.case = case
        for name, text in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(self.spelt(text))
            (folder / name).chmod(0o755 if text.startswith("#!") else 0o600)
        (folder / "dist").mkdir()
        (folder / "dist" / published.filename).write_bytes(published.content)
        kept = {name: value for name, value in house.environment.items() if name not in case.drops}
        self.environment = kept | {name: self.spelt(value) for name, value in case.environment.items()}
        self.command = [self.spelt(word) for word in case.command]

    def spelt(self, text: str) -> str:
        for name, value in self._words.items():
            text = text.replace(name, value)
        return text

    def run(self, command: Sequence[str | Path], **more: str) -> Outcome:
        shutil.rmtree(self.target, ignore_errors=True)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def why(self, *options: str) -> Outcome:
        return self.run([BROKERCTL, "why", *options, "--", *self.command])

    def prepare(self) -> None:
        if self.case.before == ("{RELOCK}",):
            self._relock()
        elif self.case.before:
            done = self.run([self.spelt(word) for word in self.case.before], **self.case.prepared)
            assert done.exit_code == 0, done.text

    def repaired(self, finding: dict[str, Any], place: tuple[str, int | None]) -> Outcome:
        """The command, after what the finding says was done."""
        line = str(finding["repair"])
        removed = REMOVED.fullmatch(line)
        if removed is not None:
            self._edit(self.folder / removed[3], int(removed[1]), int(removed[2] or removed[1]), None)
        elif REPLACED_LINE.match(line):
            self._write(Path(place[0]), int(place[1] or 0), line)
        elif self.command[-1] in shlex.split(line):
            return self.run(["sh", "-c", line])
        else:
            line = line.replace(
                "brokerctl setup", f'export PATH={self.house.bin}:"$PATH"'
            )  # what it comes to here
            script = (
                f'PATH="$PATH:{SCRIPTS}" && {line} && exec "$@"'
                if not line.startswith("export")
                else f'{line} && exec "$@"'
            )
            return self.run(["sh", "-c", script, "sh", *self.command])
        return self.run(self.command)

    def _write(self, file: Path, number: int, line: str) -> None:
        lines = file.read_text().splitlines()
        key = line.partition("=")[0].strip()
        if key == "authenticate":
            number = next(at for at, each in enumerate(lines, 1) if each.startswith(key))
        lead = "# " if lines[number - 1].startswith("# ") else ""
        lines[number - 1] = lead + line
        file.write_text("\n".join(lines) + "\n")

    def _edit(self, file: Path, first: int, last: int, _: None) -> None:
        lines = file.read_text().splitlines()
        file.write_text("\n".join([*lines[: first - 1], *lines[last:]]) + "\n")

    def _relock(self) -> None:
        """A lock that was made when the project had another index."""
        project = self.folder / "pyproject.toml"
        now = project.read_text()
        project.write_text(re.sub(r'url = "[^"]*"', f'url = "{AZURE_FEED.replace("//", "//dev@")}"', now))
        assert self.run([UV, "lock", "--no-cache"]).exit_code == 0
        project.write_text(now)


@contextmanager
def scene_of(name: str, house: Household, folder: Path, old_python: Path) -> Iterator[Scene]:
    [case] = [case for case in (*CASES, BEHIND_GATEWAY_ONLY) if case.name == name]
    scene = Scene(house, folder, old_python, case)
    scene.prepare()
    configured = house.config.read_text()
    yield scene
    if house.config.read_text() != configured:  # by a line that was run
        house.configure(configured)
        assert scene.run([BROKERCTL, "reload"]).exit_code == 0


def marked(names: Iterable[str], quick: Sequence[str]) -> list[Any]:
    """The names, of which all but the quick ones are long."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.long) for name in names]


NAMES = marked((case.name for case in CASES), QUICK)


@pytest.mark.parametrize("name", NAMES)
def test_cause_and_place_are_named_and_the_line_repairs_it(
    house: Household, tmp_path: Path, old_python: Path, name: str
) -> None:
    with scene_of(name, house, tmp_path, old_python) as scene:
        failed = scene.run(scene.command)
        told = scene.why("--json")

        assert failed.exit_code != 0, failed.text
        assert told.exit_code == failed.exit_code, told.text
        answer = json.loads(told.stderr.splitlines()[-1])
        found = [each for each in answer["findings"] if each["level"] != "fine"]
        assert [each["check"] for each in found] == [scene.case.check], found
        assert all(scene.spelt(word) in found[0]["said"] for word in scene.case.says), found
        assert scene.case.repair in {None, found[0]["repair"]}
        assert STALE not in told.text
        assert not any(password in told.text for password in (PLAIN_PASSWORD, *house.tokens))
        place = next(
            ((each["place"], each["line"]) for each in answer["indexes"] if each["repair"]), ("", None)
        )
        done = scene.repaired(found[0], place)
        assert done.exit_code == 0, f"{found[0]['repair']}\n{done.text}"


@pytest.mark.parametrize("index", few([AS_CI, AZURE_FEED.replace("//", "//dev@")], 1))
def test_a_package_that_the_feed_lacks_is_a_name_to_check(
    house: Household, tmp_path: Path, old_python: Path, index: str
) -> None:
    case = Case("typo", (*PIP_INSTALL, "--index-url", index, "demo-pakcage"), "seen", ())
    scene = Scene(house, tmp_path, old_python, case)

    told = scene.why("--json")

    [found] = json.loads(told.stderr.splitlines()[-1])["findings"]
    assert found["said"].endswith("which takes the broker's token, answered 404 for demo-pakcage")
    assert found["repair"] == "check the name demo-pakcage; no other index was asked"


@pytest.mark.parametrize("name", marked(CURED_BY_GATEWAY, QUICK_BEHIND_GATEWAY))
def test_the_last_line_runs_the_command_behind_the_gateway_and_that_succeeds(
    house: Household, tmp_path: Path, old_python: Path, name: str
) -> None:
    with scene_of(name, house, tmp_path, old_python) as scene:
        told = scene.why()

        assert told.exit_code != 0
        assert all(scene.spelt(word) in told.stderr for word in scene.case.says), told.stderr
        line = told.stderr.splitlines()[-1]
        assert line == f"or: brokerctl exec --gateway -- {shlex.join(scene.command)}"
        path = f"{scene.environment['PATH']}:{SCRIPTS}"
        done = scene.run(["sh", "-c", line.removeprefix("or: ")], PATH=path)
        assert done.exit_code == 0, done.text


@pytest.mark.parametrize("name", marked(NOT_CURED_BY_GATEWAY, QUICK_BEHIND_GATEWAY))
def test_the_gateway_is_not_named_where_it_would_fail_as_well(
    house: Household, tmp_path: Path, old_python: Path, name: str
) -> None:
    with scene_of(name, house, tmp_path, old_python) as scene:
        told = scene.why()

        behind = scene.run([BROKERCTL, "exec", "--gateway", "--", *scene.command])

    assert "--gateway" not in told.stderr
    assert behind.exit_code != 0, behind.text


@pytest.mark.long
@pytest.mark.parametrize("name", OF_DOCTOR)
def test_doctor_names_cause_and_place_too_where_it_can_know(
    house: Household, tmp_path: Path, old_python: Path, name: str
) -> None:
    check, words = OF_DOCTOR[name]
    with scene_of(name, house, tmp_path, old_python) as scene:
        path = f"{scene.environment['PATH']}:{UV.parent}"

        told = scene.run([BROKERCTL, "doctor", "--json"], PATH=path)

    findings = json.loads(told.stdout)["findings"]
    found = [each for each in findings if each["check"] == check and words in each["said"]]
    assert found, [each for each in findings if each["level"] != "fine"]
    assert found[0]["repair"]
    assert STALE not in told.text
