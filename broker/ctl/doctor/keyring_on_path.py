"""Whether uv and pip find our `keyring`, here and in cron, and whether they are told to ask it."""

import shlex
from collections.abc import Iterator, Sequence

from broker.ctl.clients.client_index import UV
from broker.ctl.clients.foreign_files import ForeignFile, ini_file
from broker.ctl.clients.keyring_provider import SUBPROCESS, variable_of
from broker.ctl.clients.pip import pip_files, pip_keyring_provider
from broker.ctl.clients.uv import uv_keyring_provider
from broker.ctl.clients.uv_files import CONFIG_FILE, uv_settings
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.setup import client_keyrings
from broker.ctl.setup.found_keyrings import REBUILD, SLOW, first_keyring, is_slow, what_hides_the_shim
from broker.ctl.setup.plan import Step
from broker.ctl.setup.undo_log import UndoLog

CRON_PATH = "PATH="


def shim_is_first(context: DoctorContext) -> Iterator[Finding]:
    """The first `keyring` on PATH is the shim."""
    wrong = what_hides_the_shim(context.user_dirs)
    if wrong is None:
        yield fine("shim", "shim is the first keyring on PATH")
        yield from _shim_is_native(context)
    else:
        yield problem("shim", *wrong)


def _shim_is_native(context: DoctorContext) -> Iterator[Finding]:
    """The shim is no Python script."""
    shim = first_keyring(context.user_dirs)
    if shim is not None and is_slow(shim):
        yield warning("shim-speed", SLOW, REBUILD)


def shim_is_first_in_cron(context: DoctorContext) -> Iterator[Finding]:
    """A crontab that runs uv or pip finds the shim: cron's own PATH is /usr/bin:/bin."""
    table = context.run("crontab", "-l")
    lines = [line for line in table.stdout.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if table.returncode != 0 or not any({"uv", "pip"} & set(_programs(line)) for line in lines):
        return
    paths = [line for line in lines if line.replace(" ", "").startswith(CRON_PATH)]
    folder = context.user_dirs.link.parent
    if not any(str(folder) in path for path in paths):
        line = f"{CRON_PATH}{folder}:/usr/bin:/bin"
        yield warning(
            "cron",
            "a cron job runs uv or pip, but cron's PATH has no shim",
            f"crontab -e, first line: {line}",
        )


def clients_ask(context: DoctorContext) -> Iterator[Finding]:
    """Each of uv and pip, where it is installed, starts and has its keyring provider turned on."""
    for client in client_keyrings.clients_of(context.user_dirs):
        if context.user_dirs.program(client.name) is None:
            continue
        files = _settings_of(client.name, context)
        refused = next(_refused(client.name, files, context), None)
        if refused is not None:
            yield refused
            continue
        named = (
            uv_keyring_provider(context.directory, context.user_dirs)
            if client.name == UV
            else pip_keyring_provider(context.user_dirs)
        )
        if named is not None and named.is_on:
            yield fine(f"{client.name}-provider", f"{client.name}: keyring is on")
            continue
        how = "off" if named is None or named.name == "disabled" else named.name
        where = "" if named is None else f" ({named.place.shown(context.user_dirs.shown)})"
        said = f"{client.name}: keyring provider is {how}{where}"
        step = client_keyrings.client_step(client)

        def turn_on(step: Step = step) -> None:
            with UndoLog.alone(context.user_dirs.journal, context.user_dirs.home) as log:
                step.do(log)

        check = f"{client.name}-provider"
        is_read = client.path in [each.path for each in files]
        if step.pending and is_read and named is None:  # what names another goes before the user's file
            yield problem(check, said, "brokerctl doctor --fix", turn_on)
        else:
            yield problem(check, said, f"export {variable_of(client.name)}={SUBPROCESS}")


def _settings_of(client: str, context: DoctorContext) -> list[ForeignFile]:
    """The files of settings that uv or pip reads: one that is malformed keeps it from doing anything.

    Of a pyproject.toml uv says so, and goes on where it needs no project (0.13.9, run).
    """
    if client == UV:
        settings = uv_settings(context.directory, context.user_dirs)
        return [each.file for each in settings if not each.keys]
    return [ini_file(path) for path in pip_files(context.user_dirs)]


def _refused(client: str, files: Sequence[ForeignFile], context: DoctorContext) -> Iterator[Finding]:
    """Files for which the client ends before it does anything (uv 0.13.9, pip 26.3, run)."""
    for file in files:
        shown = context.user_dirs.shown(file.path)
        if file.is_malformed:
            said = f"{shown}: {client} refuses to start: {file.failure}"
            yield problem(f"{client}-settings", said, f"correct {shown}")
        elif client == UV and not file.is_there and context.user_dirs.environ.get(CONFIG_FILE):
            said = f"{CONFIG_FILE} names {shown}, which is not there: {client} refuses to start"
            yield problem(f"{client}-settings", said, f"unset {CONFIG_FILE}")


def _programs(line: str) -> list[str]:
    try:
        return [word.rpartition("/")[2] for word in shlex.split(line)]
    except ValueError:
        return [word.rpartition("/")[2] for word in line.split()]
