"""Whether uv and pip find our `keyring`, here and in cron, and whether they are told to ask it."""

import shlex
from collections.abc import Iterator

from broker.ctl.clients.client_index import UV
from broker.ctl.clients.foreign_files import sections, table
from broker.ctl.clients.pip import pip_files
from broker.ctl.clients.uv import uv_files
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.setup import client_keyrings
from broker.ctl.setup.keyring_link import what_hides_the_shim
from broker.ctl.setup.keyring_settings import KEY, PROVIDER
from broker.ctl.setup.plan import Step
from broker.ctl.setup.undo_log import UndoLog

PIP_SECTIONS = ("install", "global")
"""A command's own section goes before what is said for all."""

CRON_PATH = "PATH="


def shim_is_first(context: DoctorContext) -> Iterator[Finding]:
    """The first `keyring` on PATH is the shim."""
    wrong = what_hides_the_shim(context.user_dirs)
    if wrong is None:
        yield fine("shim", "shim is the first keyring on PATH")
    else:
        yield problem("shim", *wrong)


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
    """Each of uv and pip, where it is installed, has its keyring provider turned on."""
    for client in client_keyrings.clients_of(context.user_dirs):
        if context.user_dirs.program(client.name) is None:
            continue
        said = provider_of(context, client)
        if said == PROVIDER:
            yield fine(f"{client.name}-provider", f"{client.name}: keyring is on")
            continue
        how = "off" if said is None or said == "disabled" else said
        variable = f"{client.name.upper()}_KEYRING_PROVIDER"
        step = client_keyrings.client_step(client)

        def turn_on(step: Step = step) -> None:
            step.do(UndoLog(context.user_dirs.journal))

        check = f"{client.name}-provider"
        if step.pending:
            yield problem(
                check, f"{client.name}: keyring provider is {how}", "brokerctl doctor --fix", turn_on
            )
        else:
            yield problem(check, f"{client.name}: keyring provider is {how}", f"export {variable}={PROVIDER}")


def provider_of(context: DoctorContext, client: client_keyrings.Client) -> str | None:
    """The keyring provider that the client would use here; None where nobody says."""
    environ = context.user_dirs.environ
    variable = environ.get(f"{client.name.upper()}_KEYRING_PROVIDER")
    if variable:
        return variable
    if client.name == UV:
        files = (table(path, *keys) for path, keys in uv_files(context.directory, context.user_dirs))
        return next((str(each[KEY]) for each in files if KEY in each), None)
    named = (sections(path) for path in pip_files(context.user_dirs))
    said = (each.get(section, {}).get(KEY) for each in named for section in PIP_SECTIONS)
    return next(filter(None, said), None)


def _programs(line: str) -> list[str]:
    try:
        return [word.rpartition("/")[2] for word in shlex.split(line)]
    except ValueError:
        return [word.rpartition("/")[2] for word in line.split()]
