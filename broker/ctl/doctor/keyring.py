"""Whether uv and pip find our `keyring`, here and in cron, and whether they are told to ask it."""

import configparser
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.doctor.room import Room
from broker.ctl.setup import clients
from broker.ctl.setup.journal import Journal
from broker.ctl.setup.link import first_keyring, is_ours, keyrings
from broker.ctl.setup.settings import KEY, PROVIDER
from broker.ctl.setup.step import Step

SITE_FILES = {"uv": (Path("/etc/uv/uv.toml"),), "pip": (Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"))}
CRON_PATH = "PATH="


def shim_is_first(room: Room) -> Iterator[Finding]:
    """The first `keyring` on PATH is the shim."""
    found = keyrings(room.places)
    if not found:
        yield problem("shim", "no keyring is on PATH", _way_to_the_link(room))
    elif not is_ours(found[0]):
        said = f"{found[0]} is the first keyring on PATH, not the shim"
        yield problem("shim", said, _way_to_the_link(room))
    else:
        yield fine("shim", "shim is the first keyring on PATH")


def shim_is_first_in_cron(room: Room) -> Iterator[Finding]:
    """A crontab that runs uv or pip finds the shim: cron's own PATH is /usr/bin:/bin."""
    table = room.run("crontab", "-l")
    lines = [line for line in table.stdout.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if table.returncode != 0 or not any({"uv", "pip"} & set(_programs(line)) for line in lines):
        return
    paths = [line for line in lines if line.replace(" ", "").startswith(CRON_PATH)]
    folder = room.places.link.parent
    if not any(str(folder) in path for path in paths):
        line = f"{CRON_PATH}{folder}:/usr/bin:/bin"
        yield warning(
            "cron",
            "a cron job runs uv or pip, but cron's PATH has no shim",
            f"crontab -e, first line: {line}",
        )


def clients_ask(room: Room) -> Iterator[Finding]:
    """Each of uv and pip, where it is installed, has its keyring provider turned on."""
    for client in clients.clients(room.places):
        if room.places.program(client.name) is None:
            continue
        said = provider_of(room, client)
        if said == PROVIDER:
            yield fine(f"{client.name}-provider", f"{client.name}: keyring is on")
            continue
        how = "off" if said is None or said == "disabled" else said
        variable = f"{client.name.upper()}_KEYRING_PROVIDER"
        step = clients.client_step(room.places, client)

        def turn_on(step: Step = step) -> None:
            journal = Journal(room.places.journal)
            for change in step.pending:
                change.do(journal)

        check = f"{client.name}-provider"
        if step.pending:
            yield problem(
                check, f"{client.name}: keyring provider is {how}", "brokerctl doctor --fix", turn_on
            )
        else:
            yield problem(check, f"{client.name}: keyring provider is {how}", f"export {variable}={PROVIDER}")


def provider_of(room: Room, client: clients.Client) -> str | None:
    """The keyring provider that the client would use here; None where nobody says."""
    environ = room.places.environ
    variable = environ.get(f"{client.name.upper()}_KEYRING_PROVIDER")
    if variable:
        return variable
    if client.name == "uv":
        chosen = environ.get("UV_CONFIG_FILE")
        files = (
            [Path(chosen)] if chosen else [*_project_files(room.directory), client.path, *SITE_FILES["uv"]]
        )
        return next(filter(None, map(_of_toml, files)), None)
    virtual = environ.get("VIRTUAL_ENV")
    chosen = environ.get("PIP_CONFIG_FILE")
    files = [Path(chosen)] if chosen else []
    files += [Path(virtual) / "pip.conf"] if virtual else []
    return next(
        filter(
            None, map(_of_ini, [*files, client.path, room.places.home / ".pip/pip.conf", *SITE_FILES["pip"]])
        ),
        None,
    )


def _project_files(directory: Path) -> Iterator[Path]:
    for folder in (directory, *directory.parents):
        yield folder / "uv.toml"
        yield folder / "pyproject.toml"


def _of_toml(path: Path) -> str | None:
    try:
        found: Any = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if path.name == "pyproject.toml":
        tool = found.get("tool")
        found = tool.get("uv") if isinstance(tool, dict) else None
    value = found.get(KEY) if isinstance(found, dict) else None
    return None if value is None else str(value)


def _of_ini(path: Path) -> str | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, ValueError, configparser.Error):
        return None
    return parser.get("global", KEY, fallback=None) or parser.get("install", KEY, fallback=None)


def _programs(line: str) -> list[str]:
    try:
        return [word.rpartition("/")[2] for word in shlex.split(line)]
    except ValueError:
        return [word.rpartition("/")[2] for word in line.split()]


def _way_to_the_link(room: Room) -> str:
    link = room.places.link
    if link.exists() and is_ours(link) and first_keyring(room.places) != link:
        return f"export PATH={link.parent}:$PATH"
    return "brokerctl setup" if not link.exists() else "brokerctl setup --replace"
