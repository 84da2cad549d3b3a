"""Whole commands: uv installs one wheel from a private index, its password found in different ways."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench import rivals
from bench.sheet import Aim, Sheet
from bench.whole_process import Command, Times, measure
from tests.e2e.household import AZURE_FEED, PACKAGE, PLAIN_FEED, PLAIN_PASSWORD, feed, household
from tests.fakes.clients import UV
from tests.fakes.index import PackageIndex
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.household import Household

FIVE = tuple(f"https://index-{number}.example/simple/" for number in range(5))
NOFUSS_EVERY = 10
PIP_EVERY = 5
TEN_FEED = PLAIN_FEED.replace("//", "//ci@")
NOTE = """Indexes are marked `authenticate = "always"`, as `brokerctl add` says. Without it uv asks no
`keyring` before the index has refused a request that has no password: one exchange more, whoever
answers then."""


WHY_NOTE = """`brokerctl why` costs its own start, once a command: about a third of an install of one wheel by
pip. The row has ten wheels."""
TEN = tuple(wheel(f"bench-wheel-{number}", "1.0") for number in range(10))


@dataclass(frozen=True)
class Setting:
    """What is installed from, and as whom. `always`: the index says so, as `brokerctl add` tells to."""

    indexes: tuple[str, ...]
    username: str
    password: str
    always: bool = True


def sheet(*, short: bool, folder: Path) -> Sheet:
    """Measure; nofuss is installed below the folder, where this is not the short look."""
    with household() as house:
        _configure(house)
        with house.brokerd() as broker:
            token = broker.wire.look_up(AZURE_FEED).json["password"]
            one, five = Setting((AZURE_FEED,), "VssSessionToken", token), Setting(FIVE, "ci", PLAIN_PASSWORD)
            refused_first = replace(one, always=False)
            commands = [
                _told(house, "password in the environment", one),
                _asking(house, "through the shim", one, house.bin),
                _told(house, "five indexes, passwords in the environment", five),
                _asking(house, "five indexes, through the shim", five, house.bin),
                _asking(house, "through the shim, once refused without a password", refused_first, house.bin),
            ]
            pip = _pip(house, "pip, ten wheels")
            commands += [pip, _under_why(pip)]
            notes = [NOTE, WHY_NOTE]
            programs = rivals.Absent(rivals.NOFUSS, "a short look") if short else _nofuss(house, folder)
            if isinstance(programs, rivals.Absent):
                notes.append(f"Not here: {programs}.")
            else:
                name = "through keyring + nofuss, az of 0 s"
                commands.append(_asking(house, name, one, programs, every=NOFUSS_EVERY))
            return _report(measure(commands, 10 if short else 100), notes)


def _report(times: list[Times], notes: list[str]) -> Sheet:
    told, asked, told_five, asked_five = (each.median_s for each in times[:4])
    pip, under_why = (each.median_s for each in times[5:7])
    return Sheet(
        f"`uv pip install` of one wheel, in those with the {times[0].command.name}",
        ("command", "ratio (quartiles)", "runs"),
        [(each.command.name, str(each.against(times[0])), str(len(each.seconds))) for each in times],
        [
            Aim("through the shim : password in the environment", asked / told, 1.03),
            Aim("the same with five indexes", asked_five / told_five, 1.03),
            Aim("pip under brokerctl why : pip, ten wheels", under_why / pip, 1.3),
        ],
        notes,
    )


def _configure(house: Household) -> None:
    """One feed of Azure's and five plain ones."""
    for url in FIVE:
        host = url.split("/")[2]
        house.proxy.route(host, PackageIndex([PACKAGE], passwords=[PLAIN_PASSWORD]))
    house.packages.wheels += TEN
    plain = (house.plain_feed(f"index-{number}", url=url) for number, url in enumerate(FIVE))
    house.configure(feed("corp", AZURE_FEED) + house.plain_feed() + "".join(plain))


def _nofuss(house: Household, folder: Path) -> Path | rivals.Absent:
    found = rivals.nofuss(house, folder, pause_s=0)  # seen to answer
    return found if isinstance(found, rivals.Absent) else rivals.programs_of(rivals.NOFUSS, folder)


def _told(house: Household, name: str, setting: Setting) -> Command:
    passwords = {f"UV_INDEX_I{number}_PASSWORD": setting.password for number in range(len(setting.indexes))}
    return _installing(house, name, setting, {**passwords, "UV_KEYRING_PROVIDER": "disabled"})


def _asking(house: Household, name: str, setting: Setting, programs: Path, *, every: int = 1) -> Command:
    """Uv asks the `keyring` in the folder of programs."""
    more = {"PATH": f"{programs}:{house.environment['PATH']}", "UV_KEYRING_PROVIDER": "subprocess"}
    return _installing(house, name, setting, more, every)


def _pip(house: Household, name: str) -> Command:
    """Pip with no cache, which asks for ten projects one after another."""
    command = [sys.executable, "-m", "pip", "--no-input", "install", "--quiet", "--no-cache-dir", "--no-deps"]
    command += ["--upgrade", "--target", str(house.folder / "of-pip"), "--index-url", TEN_FEED]
    return Command(name, [*command, *(each.name for each in TEN)], house.environment, every=PIP_EVERY)


def _under_why(command: Command) -> Command:
    brokerctl = str(UV.with_name("brokerctl"))
    arguments = [brokerctl, "why", "--", *command.arguments]
    return Command("the same under brokerctl why", arguments, command.environment, every=command.every)


def _installing(
    house: Household, name: str, setting: Setting, more: dict[str, str], every: int = 1
) -> Command:
    """Uv with an empty cache and a folder that is installed into again and again."""
    usernames = {f"UV_INDEX_I{number}_USERNAME": setting.username for number in range(len(setting.indexes))}
    settings = house.folder / f"{len(setting.indexes)}-{setting.always}.toml"
    policy = "always" if setting.always else "auto"
    settings.write_text(
        "".join(
            f'[[index]]\nname = "i{number}"\nurl = "{url}"\nauthenticate = "{policy}"\n'
            f"default = {str(number == 0).lower()}\n"
            for number, url in enumerate(setting.indexes)
        )
    )
    command = [str(UV), "pip", "install", "--quiet", "--no-cache", "--no-deps", "--reinstall"]
    command += ["--python", sys.executable, "--target", str(house.folder / "in")]
    command += ["--config-file", str(settings), "--index-strategy=unsafe-best-match", PACKAGE.name]
    return Command(name, command, {**house.environment, **usernames, **more}, every=every)
