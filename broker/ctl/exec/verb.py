"""`brokerctl exec`: any command with a private broker of its own. Nothing is installed, nothing stays.

Where the command cannot be wrapped, a step of a CI job starts the broker for the steps that come after it.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from broker.core.failures import advice
from broker.core.feeds import OTHER_USERNAME
from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.exec import ci_env
from broker.ctl.exec.ci_broker import ci_broker
from broker.ctl.exec.foreground import as_own_failure, found_program, run_in_foreground
from broker.ctl.exec.index_lookups import index_variables, lookups_counted
from broker.ctl.exec.private_broker import PrivateBroker, private_broker
from broker.ctl.service import verb
from broker.gateway.host_rules import unusable

ASKED_MAX = 8
"""So many feeds are asked, after a command that failed, whether they take their tokens."""

STRICT = "--gateway-strict"
"""What `--gateway=strict` becomes before options are read: an option with a value that may be missing would
take the command's first word for it.
"""


ALLOW = "--allow"


def with_strict_as_option(words: list[str]) -> list[str]:
    """The words of brokerctl's command line with `--gateway=strict`, among exec's own options, as STRICT."""
    if words[:1] != ["exec"]:
        return words
    own = 1
    while own < len(words) and words[own].startswith("-") and words[own] != "--":
        own += 2 if words[own] == ALLOW else 1
    return [STRICT if word == "--gateway=strict" else word for word in words[:own]] + words[own:]


def exec_(
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="What to run.")] = None,
    *,
    github_env: Annotated[
        bool, typer.Option("--github-env", help="GitHub Actions: for the later steps of this job.")
    ] = False,
    azure_pipelines: Annotated[
        bool, typer.Option("--azure-pipelines", help="Azure Pipelines: for the later steps of this job.")
    ] = False,
    gateway: Annotated[
        bool,
        typer.Option(
            "--gateway", help="The command gets no token: a proxy adds it. --gateway=strict: feeds only."
        ),
    ] = False,
    strict: Annotated[bool, typer.Option(STRICT, hidden=True)] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(ALLOW, metavar="HOST", help="With --gateway=strict: this host, too. Repeatable."),
    ] = None,
) -> None:
    """Run a command with a private broker of its own.

    Its uv and pip find fresh tokens; nothing is installed, and nothing is left behind. The exit code is the
    command's own; 125 if brokerctl fails, 126 if the command cannot run, 127 if there is none such.

    With --github-env or --azure-pipelines no command is run: the broker serves the later steps of the CI
    job and ends with it. They are told where it is, and nothing secret.

    With --gateway the command needs neither a keyring nor a user name and never sees a token: a proxy for
    this command alone adds the credential to requests that go to feeds. docs/gateway.md says the rest.
    """
    is_wanted = gateway or strict
    _check_gateway(
        is_strict=strict, allow=allow or [], is_alone=not (is_wanted and github_env + azure_pipelines)
    )
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
            from broker.ctl.exec.gateway_run import GatewayWish, run_with_gateway  # noqa: PLC0415 - pydantic

            code = run_with_gateway(command, GatewayWish(is_strict=strict, allowed=tuple(allow or ())))
        else:
            code = _with_private_broker(command) if command else _for_later_steps(github=github_env)
    except CommandError as failure:
        raise as_own_failure(failure) from None
    raise typer.Exit(code)


def _check_gateway(*, is_strict: bool, allow: list[str], is_alone: bool) -> None:
    """Raises CommandError for options that do not go together."""
    wrong = unusable(allow)
    if wrong is not None:
        raise CommandError(f"--allow {wrong}: this is no host", exit_code=ExitCode.EXEC_FAILED)
    if allow and not is_strict:
        raise CommandError("--allow goes with --gateway=strict", exit_code=ExitCode.EXEC_FAILED)
    if not is_alone:
        raise CommandError("the gateway serves one command only", exit_code=ExitCode.EXEC_FAILED)


def _with_private_broker(command: Sequence[str]) -> int:
    """Run the command; its code as a shell would have it. Raises CommandError."""
    with private_broker() as broker:
        environment = broker.environment(os.environ)
        program = found_program(command[0], environment)
        with broker.serving():
            variables = index_variables(broker, environment, command)
            code = run_in_foreground(program, command, environment | variables)
            if code != 0:
                for line in (*_failed_lookups(broker), *lookups_counted(broker, environment, command)):
                    typer.echo(f"token-broker: {line}", err=True)
    return code


def _for_later_steps(*, github: bool) -> int:
    """Start a broker that goes on without us, and tell the job's later steps of it. Raises CommandError."""
    ci_env.refuse_elsewhere(os.environ, github=github)
    broker = ci_broker(os.environ)
    try:
        variables = broker.variables | index_variables(broker, os.environ)
        if github:
            ci_env.tell_github(variables, broker.programs, os.environ)
        else:
            for line in ci_env.azure_commands(variables, broker.programs):
                typer.echo(line)
    except BaseException:
        verb.end(int(broker.read("/v1/status")["pid"]))
        raise
    typer.echo("uv and pip of the later steps ask a broker that ends with this job")
    return ExitCode.FINE


def _failed_lookups(broker: PrivateBroker) -> list[str]:
    """One line for each reason why look-ups of the command were not answered; pip shows none of them."""
    try:
        seen = broker.read("/v1/status")
    except CommandError as failure:
        return [
            f"the private broker does not answer: {broker_process.last_line(broker.log) or failure.detail}"
        ]
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
    """One line for each feed whose look-ups were answered, and that does not take what was answered."""
    for feed in feeds[:ASKED_MAX]:
        if not feed.get("lookups") or feed.get("error"):
            continue
        with contextlib.suppress(CommandError):
            asked = api_client.asked_feed(feed["name"], socket=broker.socket)
            if asked.get("error"):
                hint = f"; {advice(asked['hint'])}" if asked.get("hint") else ""
                yield f"{feed['name']}: {asked['error']}{hint}"
