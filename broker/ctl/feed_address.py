"""A feed by its name where an address is asked for: who types `corp` means the feed, not a host."""

import token_broker_client as client

from broker.ctl import api_client
from broker.ctl.command_error import CommandError


def address_of(typed: str) -> str:
    """The address of the feed that is called so, else what was typed. Nobody is asked where it has a `/`."""
    for socket in () if "/" in typed else (None, client.SYSTEM_SOCKET):
        try:
            feeds = api_client.read("/v1/status", socket=socket)["feeds"]
        except CommandError as failure:
            if socket is None and not isinstance(failure, api_client.BrokerNotRunningError):
                raise  # else the name would be taken for an address that no feed has
            continue
        for feed in feeds:
            if feed["name"] == typed and feed["urls"]:  # the configured one is the first
                return str(feed["urls"][0])
    return typed
