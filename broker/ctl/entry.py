"""Where brokerctl begins, and the one place where an outcome becomes an exit code.

Verbs raise CommandError; `run` prints its line and exits with its code. No traceback is ever shown. `why` is
waited for with the command that it wraps, so it starts without the other verbs.
"""

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile

from broker.ctl.command_error import CommandError, ExitCode

OF_THE_COMMAND: dict[str, object] = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose further words are the command's own."""


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    plain = _plain_why(sys.argv[1:])
    if plain is not None:
        run(plain)
    from broker.ctl.app import app  # noqa: PLC0415 - all the verbs

    run(lambda: app(prog_name="brokerctl"))


def example_of(verb: str, words: str) -> str:
    """The example at the end of a verb's help."""
    return f"\b\nExample:  brokerctl {verb} {words}".rstrip()


def _plain_why(words: Sequence[str]) -> Callable[[], None] | None:
    """`why [--json] [--] COMMAND...`, which takes no library to read; None for all else, its help too."""
    if not words or words[0] != "why":
        return None
    options = list(takewhile(lambda word: word.startswith("-") and word != "--", words[1:]))
    if set(options) - {"--json"}:
        return None
    rest = words[1 + len(options) :]
    command = rest[1:] if rest[:1] == ["--"] else rest

    def tell() -> None:
        from broker.ctl.why.told_run import told_run  # noqa: PLC0415 - this verb alone

        sys.exit(told_run(command, as_json=bool(options)))

    return tell


def run(command_line: Callable[[], object]) -> None:
    """Run this command line with this process's arguments, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar in an old terminal is no reason to fail
    try:
        command_line()
    except CommandError as failure:
        _say(failure.line)
        sys.exit(failure.exit_code)
    except Exception as defect:  # noqa: BLE001 - the outermost boundary: a traceback tells a user nothing
        import traceback  # noqa: PLC0415 - for a defect only

        place = traceback.extract_tb(defect.__traceback__)[-1]
        kind = f"{type(defect).__name__} in {place.filename.rpartition('/')[2]} line {place.lineno}"
        _say(f"a defect in brokerctl ({kind}); run: brokerctl doctor --report")
        sys.exit(ExitCode.EXEC_FAILED if sys.argv[1:2] in (["exec"], ["why"]) else ExitCode.CANNOT_BE_HAD)


def _say(line: str) -> None:
    """One line on stderr. Its end being closed changes nothing."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{line}\n" if line.startswith("token-broker") else f"token-broker: {line}\n")
        sys.stderr.flush()
