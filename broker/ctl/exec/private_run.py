"""`brokerctl exec`: any command with a private broker of its own. Nothing is installed, nothing stays."""

import contextlib
import os
from collections.abc import Iterator, Sequence

from broker.core.failures import READ_AGAIN, advice
from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.exec.foreground import found_program, run_in_foreground
from broker.ctl.exec.private_broker import PrivateBroker, StartingBroker, private_broker
from broker.host.standard_streams import tell

REFUSAL = "bad_configuration: "
"""How the broker's line about a configuration that it cannot use begins."""

ASKED_MAX = 8
"""So many feeds are asked, after a command that failed, whether they take their tokens."""


def run_with_private_broker(command: Sequence[str]) -> int:
    """Run the command at once, while its broker starts; its code as a shell would have it.

    Raises CommandError.
    """
    with private_broker(waits=False) as broker:
        environment = broker.environment(os.environ)
        program = found_program(command[0], environment)
        with broker.starting() as start:
            from broker.ctl.exec.index_lookups import (  # noqa: PLC0415 - while the broker loads
                index_variables,
                lookups_counted,
            )

            variables = index_variables(broker, environment, command)
            code = run_in_foreground(program, command, environment | variables)
            told: list[str] = []
            if code != 0:
                is_new = start.is_new()
                told += [] if is_new else failed_lookups(broker, start)
                told += lookups_counted(broker, environment, command, is_new=is_new)
            for line in dict.fromkeys([*_faults(broker, start), *told]):
                tell(f"token-broker: {line}")
    return code


def _faults(broker: PrivateBroker, start: StartingBroker) -> Iterator[str]:
    """Why the broker answered nothing at all, if it says so in its log by now: it is not waited for."""
    said = broker_process.last_lines(broker.log)
    yield from (line.partition(REFUSAL)[2] for line in said if REFUSAL in line)
    if start.child.poll() not in {None, 0} and said:
        yield f"the private broker ended: {said[-1]}"


def failed_lookups(broker: PrivateBroker, start: StartingBroker) -> list[str]:
    """One line for each reason why look-ups of the command were not answered; pip shows none of them."""
    try:
        seen = broker.read("/v1/status")
    except CommandError as failure:
        start.wait_for_its_end()  # it may have hung up to end, and logs the reason last
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
        if lookup["hint"] == READ_AGAIN:  # of the configuration: `_faults` tells it, and no broker is left
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
