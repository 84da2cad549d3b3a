"""Where brokerctl begins, and the one place where an outcome becomes an exit code.

Verbs raise CommandError; `run` prints its line and exits with its code. No traceback is ever shown. `why` is
waited for with the command that it wraps, so it starts without the other verbs.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile

from broker.core.failures import Failure, advice
from broker.core.shortage import shortage_of
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.hints import other_than
from broker.host.standard_streams import LostOutputError, checked_stdout, tell

OF_A_COMMAND = ("exec", "why")
"""Verbs that end with their command's code: their own failures have one of their own, 125."""


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    run(_plain_why(sys.argv[1:]) or _any_verb)


def run(command_line: Callable[[], object]) -> None:
    """Run this command line with this process's arguments, and exit."""
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")  # a bar in an old terminal is no reason to fail
    with checked_stdout(_say, _own_failure()):
        _run(command_line)


def _any_verb() -> None:
    from broker.ctl.app import command_line  # noqa: PLC0415 - all the verbs

    command_line()


def _plain_why(words: Sequence[str]) -> Callable[[], None] | None:
    """`why [--json] [--] COMMAND...`, which takes no library to read; None for all else, its help too."""
    if words[:1] != ["why"]:
        return None
    options = list(takewhile(lambda word: word.startswith("-") and word != "--", words[1:]))
    if set(options) - {"--json"}:
        return None
    rest = words[1 + len(options) :]
    command = rest[1:] if rest[:1] == ["--"] else rest

    def told() -> None:
        from broker.ctl.why.told_run import told_run  # noqa: PLC0415 - this verb alone

        sys.exit(told_run(command, as_json=bool(options)))

    return told


def _own_failure() -> ExitCode:
    """What our own failures end with."""
    verb = "".join(sys.argv[1:2])
    return ExitCode.EXEC_FAILED if verb in OF_A_COMMAND else ExitCode.CANNOT_BE_HAD


def _run(command_line: Callable[[], object]) -> None:
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        command_line()
    except LostOutputError:
        raise
    except CommandError as failure:
        failure.hint = other_than(failure.hint, verb)
        _say(failure.line)
        sys.exit(failure.exit_code)
    except Failure as failure:
        hint = "" if failure.hint is None else f"; {advice(failure.hint)}"
        _say(f"{failure.detail}{hint}")
        sys.exit(_own_failure())
    except UnicodeEncodeError:  # what stands there may hold a secret, such as a proxy's password
        _say("a path or a variable here is not UTF-8, so that no settings file can name it")
        sys.exit(_own_failure())
    except OSError as error:
        _say(_told(error))
        sys.exit(_own_failure())
    except Exception as defect:  # noqa: BLE001 - the outermost boundary: a traceback tells a user nothing
        import traceback  # noqa: PLC0415 - for a defect only

        place = traceback.extract_tb(defect.__traceback__)[-1]
        kind = f"{type(defect).__name__} in {place.filename.rpartition('/')[2]} line {place.lineno}"
        hint = "brokerctl logs" if verb == "doctor" else "brokerctl doctor --report"
        _say(f"a defect in brokerctl ({kind}); run: {hint}")
        sys.exit(_own_failure())


def _told(error: OSError) -> str:
    """What the machine refused: most often a file, by its name."""
    reason = shortage_of(error) or (error.strerror or type(error).__name__).lower()
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the working directory is gone; run: cd"
    name = error.filename if isinstance(error.filename, str) else os.fspath(error.filename or "")
    return f"{os.fsdecode(name)}: {reason}" if name else f"this machine refused it: {reason}"


def _say(line: str) -> None:
    """One line on stderr."""
    tell(line if line.startswith("token-broker") else f"token-broker: {line}")
