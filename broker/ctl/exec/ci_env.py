"""What a step of a CI job tells the later ones: variables and a folder for PATH, never anything secret."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from broker.ctl.command_error import CommandError

GITHUB_ENV = "GITHUB_ENV"
GITHUB_PATH = "GITHUB_PATH"
"""The files that GitHub's runner reads when a step has ended ("Workflow commands", environment files)."""

TF_BUILD = "TF_BUILD"
"""Set by Azure Pipelines' agent ("Predefined variables")."""


def refuse_elsewhere(environ: Mapping[str, str], *, github: bool) -> None:
    """Raises CommandError where this is no step of such a job."""
    ci, needed = ("GitHub Actions", (GITHUB_ENV, GITHUB_PATH)) if github else ("Azure Pipelines", (TF_BUILD,))
    for name in needed:
        if not environ.get(name):
            raise CommandError(f"{name} is not set: this is no step of {ci}")


def tell_github(variables: Mapping[str, str], folder: Path, environ: Mapping[str, str]) -> None:
    """Append to the files of this step. Raises CommandError where that cannot be."""
    _append(environ[GITHUB_ENV], [f"{name}={value}" for name, value in variables.items()])
    _append(environ[GITHUB_PATH], [str(folder)])


def azure_commands(variables: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Lines that Azure Pipelines' agent obeys when they are printed ("Logging commands"). Raises
    CommandError.
    """
    for name, value in variables.items():
        yield f"##vso[task.setvariable variable={name}]{_escaped(value)}"
    yield f"##vso[task.prependpath]{_escaped(str(folder))}"


def _append(file: str, lines: Sequence[str]) -> None:
    text = "".join(f"{_one_line(line)}\n" for line in lines)
    try:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {str(error.strerror).lower()}") from None


def _escaped(value: str) -> str:
    """A message as the agent reads it (azure-pipelines-task-lib, taskcommand.ts, escapeData)."""
    return _one_line(value).replace("%", "%AZP25")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise CommandError("a feed's user name cannot be told to later steps: it is not printable")
    return text
