"""Where a CI job's command cannot be wrapped, a step starts the broker for the steps that come after it."""

import os

from broker.ctl.command_error import CommandError
from broker.ctl.exec import ci_env
from broker.ctl.exec.ci_broker import ci_broker
from broker.ctl.exec.index_lookups import index_variables
from broker.ctl.service import verb
from broker.host.standard_streams import put_out


def start_for_later_steps(*, github: bool) -> None:
    """Start a broker that goes on without us, and tell the job's later steps of it. Raises CommandError."""
    ci_env.refuse_elsewhere(os.environ, github=github)
    broker = ci_broker(os.environ)
    try:
        _refuse_broken(broker.read("/v1/status").get("error"))
        variables = broker.variables | index_variables(broker, os.environ)
        if github:
            ci_env.tell_github(variables, broker.programs, os.environ)
        else:
            for line in ci_env.azure_commands(variables, broker.programs):
                put_out(line)
    except BaseException:
        verb.end(int(broker.read("/v1/status")["pid"]))
        raise
    put_out("uv and pip of the later steps ask a broker that ends with this job")


def _refuse_broken(fault: str | None) -> None:
    if fault is not None:
        raise CommandError(fault)
