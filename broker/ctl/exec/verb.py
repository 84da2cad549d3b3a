"""`brokerctl exec` as it is typed."""

from typing import Annotated

import typer

from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.exec.run import run_exec

STRICT = "--gateway-strict"
"""What `--gateway=strict` becomes before options are read: an option with a value that may be missing would
take the command's first word for it.
"""


ALLOW = "--allow"


def with_strict_as_option(words: list[str]) -> list[str]:
    """The words of brokerctl's command line with `--gateway=strict`, among exec's own options, as STRICT.

    Raises CommandError for another value.
    """
    if words[:1] != ["exec"]:
        return words
    own = 1
    while own < len(words) and words[own].startswith("-") and words[own] != "--":
        own += 2 if words[own] == ALLOW else 1
    options = [STRICT if word == "--gateway=strict" else word for word in words[:own]]
    if any(word.startswith("--gateway=") for word in options):
        raise CommandError("write --gateway or --gateway=strict", exit_code=ExitCode.EXEC_FAILED)
    return options + words[own:]


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
    run_exec(
        command or [],
        github_env=github_env,
        azure_pipelines=azure_pipelines,
        gateway=gateway,
        strict=strict,
        allow=allow or (),
    )
