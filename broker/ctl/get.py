"""`brokerctl get`: a feed's credential for a script, as the shim would answer it."""

import json
import sys

import token_broker_client as client

from broker.ctl import api_client
from broker.ctl.command_error import CommandError
from broker.ctl.feed_address import address_of
from broker.host.standard_streams import write_to

ANSWER_MARGIN_S = 0.5
"""The daemon is told to answer this much earlier than we give up, so that its reason arrives."""

STDOUT = 1


def print_credential(url: str, username: str | None = None, *, as_json: bool = False) -> None:
    """Print the password, or all that is known with it as JSON. Raises CommandError."""
    found = credential(address_of(url), username)
    _print(json.dumps(found) if as_json else str(found["password"]))


def _print(answer: str) -> None:
    """Write the answer to stdout whole, or raise CommandError: half a password is no success.

    Past Python's own buffer, which would be written once more, and complain, when the interpreter ends.
    """
    text = f"{answer}\n".encode()
    if sys.stdout is None:  # it was closed at our start: by now that number may be another file's
        raise CommandError(client.NOT_WRITTEN)
    try:
        write_to(STDOUT, text)
    except OSError:
        raise CommandError(client.NOT_WRITTEN) from None


def credential(url: str, username: str | None) -> api_client.Json:
    """The user's broker's answer, or the system's where the user's knows no such feed. Raises
    CommandError.
    """
    try:
        return api_client.ask_either_broker(lambda socket: _credential(url, username, socket))
    except api_client.RefusedError as refusal:
        if refusal.kind != api_client.NO_FEED or refusal.hint is not None:
            raise
        hint = _next_line(refusal.detail, url)
        raise CommandError(refusal.detail, hint=hint, exit_code=refusal.exit_code) from None


def _next_line(detail: str, url: str) -> str | None:
    """What to type about an address that is of no feed, or of none for this username."""
    from shlex import quote  # noqa: PLC0415 - for a refusal only

    from broker.core.failures import BadRequest  # noqa: PLC0415 - the same
    from broker.core.feeds import NO_FEED, OTHER_USERNAME  # noqa: PLC0415 - the same
    from broker.core.unknown_address import next_line  # noqa: PLC0415 - the same
    from broker.core.urls import parse_service  # noqa: PLC0415 - the same

    try:
        service = parse_service(url)
    except BadRequest:  # to this brokerctl; to a broker of another version it was an address
        return None
    if OTHER_USERNAME in detail:
        return f"brokerctl explain {quote(str(service))}"
    return next_line(service) if detail == NO_FEED else None


def _credential(url: str, username: str | None, socket: str | None) -> api_client.Json:
    budget_s = client.budget_s()
    wait_s = budget_s - min(ANSWER_MARGIN_S, budget_s / 10)
    query = {"url": url, "username": username, "wait": f"{wait_s:.3f}"}
    found = api_client.read("/v1/credential", query, patience_s=budget_s, socket=socket)
    if not found.get("password"):
        raise CommandError("the broker's answer was not understood", hint="brokerctl restart")
    return found
