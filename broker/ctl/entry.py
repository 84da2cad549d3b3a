"""Where brokerctl begins, and the one place where an outcome becomes an exit code.

Verbs raise CommandError; `run` prints its line and exits with its code. No traceback is ever shown. What
stands in prompts, in scripts and before other programs starts without typer and the other verbs.
"""

from __future__ import annotations

import gc
import io
import os
import sys

from broker.core.failures import Failure, advice
from broker.core.one_line import one_line
from broker.core.shortage import shortage_of
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.help_page import help_page
from broker.ctl.hints import other_than
from broker.ctl.verbs import OF_A_COMMAND, read_plainly
from broker.host.installation import cause_outside
from broker.host.standard_streams import LostOutputError, checked_stdout, put_out, tell

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    try:
        run(_plainly)
    finally:
        gc.freeze()  # at its end Python would search all that is loaded for cycles: a tenth of a short run


def run(command_line: Callable[[], object]) -> None:
    """Run this command line with this process's arguments, and exit."""
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")  # a bar in an old terminal is no reason to fail
    with checked_stdout(_say, _own_failure()):
        _run(command_line)


def _plainly() -> None:
    """Do what the words say: by a stored page, by the plain reading of a few verbs, and else by typer."""
    words = sys.argv[1:]
    page = help_page(words)
    if page is not None:
        put_out(page.removesuffix("\n"))
        return
    read = read_plainly(words)
    if read is None:
        from broker.ctl.app import command_line  # noqa: PLC0415 - typer

        command_line()
        return
    place, given = read
    module, _, function = place.partition(":")
    __import__(module)
    getattr(sys.modules[module], function)(**given)


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
    except KeyboardInterrupt:  # also while a verb loads; most verbs' own typer ends
        sys.exit(ExitCode.INTERRUPTED)
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
        shortage = shortage_of(defect)
        if shortage is not None:
            _say(f"{_REFUSED}: {shortage}")
            sys.exit(_own_failure())
        from broker.core.defect import name_of  # noqa: PLC0415 - for a defect only

        ours = "brokerctl logs" if verb == "doctor" else "brokerctl doctor --report"
        hint = cause_outside(defect, "brokerctl doctor") or ours
        _say(f"a defect in brokerctl ({name_of(defect)}); run: {hint}")
        sys.exit(_own_failure())


_REFUSED = "this machine refused it"


def _told(error: OSError) -> str:
    """What the machine refused: most often a file, by its name."""
    reason = shortage_of(error) or (error.strerror or type(error).__name__).lower()
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the working directory is gone; run: cd"
    name = error.filename if isinstance(error.filename, str) else os.fspath(error.filename or "")
    return one_line(f"{os.fsdecode(name)}: {reason}") if name else f"{_REFUSED}: {reason}"


def _say(line: str) -> None:
    """One line on stderr, with what a terminal would obey or a line would break at escaped."""
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    tell(line if line.startswith("token-broker") else f"token-broker: {line}")
