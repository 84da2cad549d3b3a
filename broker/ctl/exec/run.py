"""What `brokerctl exec` does by its options. Loads no more than that: the command waits for it."""

from __future__ import annotations

from broker.ctl.command_error import CommandError, ExitCode

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Sequence


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
        from broker.ctl.exec.foreground import as_own_failure  # noqa: PLC0415 - for a failure only

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

    with GatewayProcess() as gateway:  # it loads while we do
        from broker.ctl.exec.gateway_run import GatewayWish, run_with_gateway  # noqa: PLC0415 - the same

        return run_with_gateway(command, GatewayWish(is_strict=is_strict, allowed=allowed), gateway)


def _with_private_broker(command: Sequence[str]) -> int:
    from broker.ctl.exec.private_run import run_with_private_broker  # noqa: PLC0415 - not for the gateway

    return run_with_private_broker(command)


def _for_later_steps(*, github: bool) -> int:
    from broker.ctl.exec.later_steps import start_for_later_steps  # noqa: PLC0415 - no command waits for this

    start_for_later_steps(github=github)
    return ExitCode.FINE
