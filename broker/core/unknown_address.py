"""What a person types next about an address that no feed has. Pure."""

import shlex

from broker.core.urls import Service, Url


def adding(service: Service) -> str | None:
    """The command that makes the address a feed of the configuration's; None for a bare host."""
    return f"brokerctl add {shlex.quote(str(service))}" if isinstance(service, Url) else None


def next_line(service: Service) -> str:
    """For who meant a feed: the command that adds it, else the one that lists those there are."""
    return adding(service) or "brokerctl status"
