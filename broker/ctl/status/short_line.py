"""The status in one line, straight from the daemon's object: it stands in prompts, where 50 ms are felt, so
that no record is made and nothing is loaded for it.
"""

from __future__ import annotations

from broker.core.need import SIGN_IN_NEEDED, needs_help
from broker.ctl.command_error import CommandError, ExitCode

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.ctl.api_client import Json


def status_line(found: Json) -> str:
    """The form for prompts and status bars: `feeds 4/5 !labs`, each feed that cannot answer named.

    Raises CommandError for what is no status.
    """
    try:
        feeds = found["feeds"]
        usable = sum(bool(feed["usable"]) for feed in feeds)
        flags = [
            f" !{feed['name']}" for feed in feeds if needs_help(feed["state"], usable=bool(feed["usable"]))
        ]
    except (KeyError, TypeError):
        raise not_understood() from None
    if found.get("error") is not None:
        flags.append(" !configuration")
    return f"feeds {usable}/{len(feeds)}{''.join(flags)}"


def exit_code_of(states: Iterable[str], error: object) -> ExitCode:
    """A configuration that is not in force before anything else, then a sign-in that is needed."""
    if error is not None:
        return ExitCode.CANNOT_BE_HAD
    return ExitCode.NEEDS_A_PERSON if SIGN_IN_NEEDED in states else ExitCode.FINE


def not_understood() -> CommandError:
    """What is said of an answer that is no status."""
    return CommandError("the broker's status was not understood", hint="brokerctl restart")
