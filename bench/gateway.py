"""Downloads behind `exec --gateway`, beside the same ones with the password in the client's own hands."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.sheet import Aim, Sheet
from bench.whole_process import Command, Times, measure
from tests.e2e.behind_gateway import BROKERCTL, Behind, behind_gateway
from tests.e2e.household import PLAIN_FEED, PLAIN_HOST, PLAIN_PASSWORD
from tests.fakes.clients import UV
from tests.fakes.index import PackageIndex
from tests.fakes.wheels import Wheel, wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE_BYTES = 500 << 20
SHORT_BYTES = 20 << 20
SMALL_WHEELS = 100
NOTE = """The feed speaks TLS in this process, the gateway ends it and speaks it anew: three programs share
the processors where a direct download has two. One gateway serves all rounds, as it does all clients of one
command, and keeps its connections to the feed; each round's client makes its own. The user's broker runs:
`exec --gateway` asks it, and `exec` starts one of its own."""


def sheet(*, short: bool) -> Sheet:
    """Measure: a large wheel, a hundred small ones, and what comes before the command begins."""
    large = _large(SHORT_BYTES if short else LARGE_BYTES)
    small = [wheel(f"small-{number}", "1.0") for number in range(SMALL_WHEELS)]
    with behind_gateway() as behind:
        index = PackageIndex([large, *small], passwords=[PLAIN_PASSWORD])
        behind.house.proxy.route(PLAIN_HOST, index)
        told = {
            **behind.environment,
            "UV_INDEX_CORP_USERNAME": "ci",
            "UV_INDEX_CORP_PASSWORD": PLAIN_PASSWORD,
        }
        _project(behind, small)
        with _gateway_environment(behind) as gateway:
            # after the control of each pair comes the pair's other half: `_report` counts on it
            downloads = measure(
                [
                    _curl(behind, "a large wheel by curl, direct", large, told, "-u", f"ci:{PLAIN_PASSWORD}"),
                    _curl(behind, "a large wheel by curl, gateway", large, gateway),
                    _install(behind, "a large wheel by uv, direct", large, told),
                    _install(behind, "a large wheel by uv, gateway", large, gateway),
                ],
                2 if short else 10,
            )
            syncs = measure(
                [
                    _sync(behind, "`uv sync` of 100 wheels, direct", told),
                    _sync(behind, "`uv sync` of 100 wheels, gateway", gateway),
                ],
                2 if short else 20,
            )
        starts = measure(
            [
                Command(f"`{' '.join(words)}`", [str(BROKERCTL), *words], behind.environment)
                for words in (("exec", "true"), ("exec", "--gateway", "true"))
            ],
            2 if short else 20,
        )
    return _report([*downloads, *syncs, *starts])


def _report(times: list[Times]) -> Sheet:
    pairs = list(zip(times[::2], times[1::2], strict=True))
    by_curl, by_uv, sync, start = (there.median_s / here.median_s for here, there in pairs)
    return Sheet(
        "Downloads behind the gateway, in those without it",
        ("command", "ratio (quartiles)", "runs"),
        [
            (each.command.name, str(each.against(pair[0])), str(len(each.seconds)))
            for pair in pairs
            for each in pair
        ],
        [
            Aim("a large wheel by curl: time behind the gateway : direct", by_curl, 1 / 0.6),
            Aim("a large wheel by uv: time behind the gateway : direct", by_uv, 1 / 0.6),
            Aim("`uv sync` of 100 wheels: behind the gateway : direct", sync, 1.25),
            Aim("`exec --gateway true` : `exec true`", start, 1.25),
        ],
        [NOTE],
    )


def _large(size: int) -> Wheel:
    """A wheel of this size whose data cannot be packed."""
    plain = wheel("large-package", "1.0")
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain.content)) as given, zipfile.ZipFile(packed, "w") as made:
        for name in given.namelist():
            if not name.endswith("RECORD"):
                made.writestr(name, given.read(name))
        block = os.urandom(1 << 20)
        with made.open("large_package.bin", "w", force_zip64=True) as member:
            for _ in range(size >> 20):
                member.write(block)
        record = next(name for name in given.namelist() if name.endswith("RECORD"))
        made.writestr(record, given.read(record).decode() + "large_package.bin,,\n")
    return Wheel(plain.name, plain.version, plain.filename, packed.getvalue())


def _project(behind: Behind, wheels: list[Wheel]) -> None:
    folder = _folder(behind)
    folder.mkdir()
    needed = ", ".join(f'"{each.name}"' for each in wheels)
    index = f'[[tool.uv.index]]\nname = "corp"\nurl = "{PLAIN_FEED}"\ndefault = true\n'
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{needed}]\n'
        f"[tool.uv]\npackage = false\n{index}"
    )
    behind.succeed(UV, "sync", "--no-cache", cwd=folder)


def _folder(behind: Behind) -> Path:
    return behind.house.folder / "project"


@contextmanager
def _gateway_environment(behind: Behind) -> Iterator[dict[str, str]]:
    """The environment that a command has behind a gateway, which serves as long as this lasts."""
    with subprocess.Popen(
        behind.words("sh", "-c", "env -0; echo; read -r _"),
        env=behind.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        told = b""
        while not told.endswith(b"\0\n"):
            told += running.stdout.readline()
        yield dict(each.partition("=")[::2] for each in told.decode().strip("\0\n").split("\0"))
        running.communicate(b"\n")


def _curl(behind: Behind, name: str, large: Wheel, environment: dict[str, str], *words: str) -> Command:
    url = f"{PLAIN_FEED}-/files/{large.filename}"
    out = str(behind.house.folder / "out")
    return Command(name, ["/usr/bin/curl", "-fsS", "-o", out, *words, url], environment)


def _install(behind: Behind, name: str, large: Wheel, environment: dict[str, str]) -> Command:
    command = [str(UV), "pip", "install", "--quiet", "--no-cache", "--reinstall", "--no-deps"]
    command += ["--target", str(behind.house.folder / "in"), "--default-index", f"corp={PLAIN_FEED}"]
    return Command(name, [*command, large.name], environment)


def _sync(behind: Behind, name: str, environment: dict[str, str]) -> Command:
    command = [str(UV), "sync", "--quiet", "--frozen", "--no-cache", "--reinstall"]
    return Command(name, [*command, "--project", str(_folder(behind))], environment)
