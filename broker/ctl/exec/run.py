"""`brokerctl exec`: any command with a private broker of its own. Nothing is installed, nothing stays.

Where the command cannot be wrapped, a step of a CI job starts the broker for the steps that come after it.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from broker.core.failures import advice
from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.exec.foreground import as_own_failure, found_program, run_in_foreground
from broker.ctl.exec.index_lookups import index_variables, lookups_counted
from broker.ctl.exec.private_broker import PrivateBroker, private_broker
from broker.host.standard_streams import put_out, tell

if TYPE_CHECKING:
    import subprocess

REFUSAL = "bad_configuration: "
"""How the broker's line about a configuration that it cannot use begins."""

ASKED_MAX = 8
"""So many feeds are asked, after a command that failed, whether they take their tokens."""


def run_exec(
    command: Sequence[str],
    *,
    github_env: bool = False,
    azure_pipelines: bool = False,
    gateway: bool = False,
    strict: bool = False,
    allow: Sequence[str] = (),
) -> None:
    """Do what the options say, and end with the command's code. Raises CommandError."""
    is_wanted = gateway or strict
    _check_gateway(is_strict=strict, allow=allow, is_alone=not (is_wanted and github_env + azure_pipelines))
    later = github_env + azure_pipelines
    if later + bool(command) > 1:
        raise CommandError(
            "a command, --github-env and --azure-pipelines exclude each other", exit_code=ExitCode.EXEC_FAILED
        )
    if not command and not later:
        raise CommandError(
            "exec needs a command", hint="brokerctl exec -- uv sync", exit_code=ExitCode.EXEC_FAILED
        )
    try:
        if command and is_wanted:
            code = _with_gateway(command, is_strict=strict, allowed=tuple(allow))
        else:
            code = _with_private_broker(command) if command else _for_later_steps(github=github_env)
    except CommandError as failure:
        raise as_own_failure(failure) from None
    raise SystemExit(code)


def _check_gateway(*, is_strict: bool, allow: Sequence[str], is_alone: bool) -> None:
    """Raises CommandError for options that do not go together."""
    if allow:
        from broker.gateway.host_rules import unusable  # noqa: PLC0415 - for this option only

        wrong = unusable(allow)
        if wrong is not None:
            raise CommandError(f"--allow {wrong}: this is no host", exit_code=ExitCode.EXEC_FAILED)
    if allow and not is_strict:
        raise CommandError("--allow goes with --gateway=strict", exit_code=ExitCode.EXEC_FAILED)
    if not is_alone:
        raise CommandError("the gateway serves one command only", exit_code=ExitCode.EXEC_FAILED)


def _with_gateway(command: Sequence[str], *, is_strict: bool, allowed: tuple[str, ...]) -> int:
    from broker.ctl.exec.gateway_process import GatewayProcess  # noqa: PLC0415 - for this option only

    with GatewayProcess(os.environ) as gateway:  # it loads while we do
        from broker.ctl.exec.gateway_run import GatewayWish, run_with_gateway  # noqa: PLC0415 - pydantic

        return run_with_gateway(command, GatewayWish(is_strict=is_strict, allowed=allowed), gateway)


def _with_private_broker(command: Sequence[str]) -> int:
    """Run the command at once, while its broker starts; its code as a shell would have it.

    Raises CommandError.
    """
    with private_broker(waits=False) as broker:
        environment = broker.environment(os.environ)
        program = found_program(command[0], environment)
        with broker.starting() as child:
            variables = index_variables(broker, environment, command)
            code = run_in_foreground(program, command, environment | variables)
            told = [*_failed_lookups(broker)] if code != 0 else []
            if code != 0:
                told += lookups_counted(broker, environment, command)
            for line in dict.fromkeys([*_faults(broker, child), *told]):
                tell(f"token-broker: {line}")
    return code


def _faults(broker: PrivateBroker, child: "subprocess.Popen[bytes]") -> Iterator[str]:
    """Why the broker answered nothing at all, if it says so in its log by now: it is not waited for."""
    said = broker_process.last_lines(broker.log)
    yield from (line.partition(REFUSAL)[2] for line in said if REFUSAL in line)
    if child.poll() not in {None, 0} and said:
        yield f"the private broker ended: {said[-1]}"


def _for_later_steps(*, github: bool) -> int:
    """Start a broker that goes on without us, and tell the job's later steps of it. Raises CommandError."""
    from broker.ctl.exec import ci_env  # noqa: PLC0415 - no command waits for this
    from broker.ctl.exec.ci_broker import ci_broker  # noqa: PLC0415 - the same
    from broker.ctl.service import verb  # noqa: PLC0415 - the same

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
    return ExitCode.FINE


def _refuse_broken(fault: str | None) -> None:
    if fault is not None:
        raise CommandError(fault)


def _failed_lookups(broker: PrivateBroker) -> list[str]:
    """One line for each reason why look-ups of the command were not answered; pip shows none of them."""
    try:
        seen = broker.read("/v1/status")
    except CommandError as failure:
        return [
            f"the private broker does not answer: {broker_process.last_line(broker.log) or failure.detail}"
        ]
    from broker.core.feeds import OTHER_USERNAME  # noqa: PLC0415 - after a failure only

    errors = {feed["name"]: feed.get("error") for feed in seen["feeds"]}
    lines: list[str] = []
    for lookup in seen["recent"]:
        is_others = OTHER_USERNAME in (lookup.get("error") or "")
        if lookup["outcome"] != "error" and lookup["hint"] is None and not is_others:
            continue
        what = lookup["feed"] or lookup["url"]
        why = lookup.get("error") or errors.get(lookup["feed"]) or "a look-up was not answered"
        line = f"{what}: {why}"
        lines.append(line if lookup["hint"] is None else f"{line}; {advice(lookup['hint'])}")
    return list(dict.fromkeys((*lines, *_refusals(broker, seen["feeds"]))))


def _refusals(broker: PrivateBroker, feeds: Sequence[api_client.Json]) -> Iterator[str]:
    """One line for each feed that look-ups asked for and that has no good token; the others are asked now.

    What was answered may have been tried, and refused, before the command ended.
    """
    for feed in feeds[:ASKED_MAX]:
        if not feed.get("lookups"):
            continue
        with contextlib.suppress(CommandError):
            known = feed if feed.get("error") else api_client.asked_feed(feed["name"], socket=broker.socket)
            if known.get("error"):
                hint = f"; {advice(known['hint'])}" if known.get("hint") else ""
                yield f"{feed['name']}: {known['error']}{hint}"
