"""`brokerctl exec --gateway`: a command with a proxy of its own, and no token, keyring or user name.

The gateway asks the user's broker; where none runs, a private one, which starts beside it and the command.
"""

import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.config.model import Config
from broker.core.urls import urls_of
from broker.ctl import api_client
from broker.ctl.command_error import CommandError
from broker.ctl.exec.ca_bundles import Bundles
from broker.ctl.exec.foreground import found_program, run_in_foreground
from broker.ctl.exec.gateway_process import GatewayProcess, GatewayReport
from broker.ctl.exec.private_broker import private_broker
from broker.gateway.host_rules import Endpoint
from broker.gateway.instructions import Instructions
from broker.host.standard_streams import tell
from broker.providers.recognise.host_shapes import HOST_SHAPES
from broker.providers.recognise.kinds import GITLAB

SECRET_BYTES = 32
BACKLOG = 1024
"""The kernel keeps who comes before the gateway serves, and while all connections are taken (Linux cuts it to
net.core.somaxconn).
"""

LOOPBACK = "localhost,127.0.0.1,::1"

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
EXEMPTIONS = ("NO_PROXY", "no_proxy")
OTHER_PROXIES = ("ALL_PROXY", "all_proxy")
NODE_SWITCH = "NODE_USE_ENV_PROXY"
"""Node's own HTTP client heeds proxy variables only where this is 1 (Node 22.21 and 24.0 on)."""


@dataclass(frozen=True, slots=True)
class GatewayWish:
    """What a person asked for: only feeds' hosts and the `allowed`, where it `is_strict`."""

    is_strict: bool = False
    allowed: tuple[str, ...] = ()


def run_with_gateway(command: Sequence[str], wish: GatewayWish, gateway: GatewayProcess) -> int:
    """Run the command behind the gateway, which has been started; its code as a shell would have it.

    The command begins while the gateway still loads: requests wait at its port, who reads a file of
    authorities waits until it is complete, and the gateway's questions wait at the broker's socket. Where
    the kernel cannot have readers wait, the command does. Raises CommandError.
    """
    program = found_program(command[0], os.environ)
    _check_proxies(os.environ)
    with private_broker(waits=False) as place, contextlib.ExitStack() as undo:
        served = _users_broker()
        if served is None:
            undo.enter_context(place.starting())
        instructions = _instructions(wish, served, place.socket)
        with Bundles(place.directory, os.environ) as bundles, _listener() as listener:
            gateway.instruct(instructions, listener, bundles.descriptors)
            address = f"http://gateway:{instructions.secret}@127.0.0.1:{listener.getsockname()[1]}"
        environment = command_environment(os.environ, address, is_strict=wish.is_strict) | bundles.variables
        if not bundles.readers_wait:
            gateway.wait_for_authority()
        code = run_in_foreground(program, command, environment)
        _tell(gateway.report(), code)
    return code


def command_environment(environ: Mapping[str, str], address: str, *, is_strict: bool) -> dict[str, str]:
    """The environment of a command whose clients are to use the proxy at this address.

    Plain HTTP goes there as well: what was exempt from a proxy before is known there alone.
    """
    dropped = OTHER_PROXIES if is_strict else ()
    kept = {name: value for name, value in environ.items() if name not in dropped}
    return (
        kept
        | dict.fromkeys(PROXY_VARIABLES, address)
        | dict.fromkeys(EXEMPTIONS, LOOPBACK)
        | {NODE_SWITCH: "1"}
    )


def _users_broker() -> api_client.Json | None:
    """The status of the user's broker, or None where none can be asked."""
    try:
        return api_client.read("/v1/status")
    except CommandError:
        return None


def _check_proxies(environ: Mapping[str, str]) -> None:
    """Raises CommandError where a variable names a proxy that the gateway cannot use."""
    if not any(environ.get(each) for each in (*PROXY_VARIABLES, *OTHER_PROXIES)):
        return
    from broker.gateway.upstream_proxy import ProxyAddressError, ProxyChoice  # noqa: PLC0415 - where one is

    try:
        ProxyChoice(environ)
    except ProxyAddressError as failure:
        raise CommandError(f"the gateway cannot start: {failure}") from None


def _listener() -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    except OSError as failure:
        reason = (failure.strerror or "").lower()
        raise CommandError(f"no port of 127.0.0.1 can be had: {reason}") from None


def _instructions(wish: GatewayWish, served: api_client.Json | None, private: str) -> Instructions:
    """`private` is the socket of the private broker. Raises CommandError where that would not have a
    configuration.
    """
    config = _config_in_force(served)
    if served is None:
        from broker.ctl.matching import table_of  # noqa: PLC0415 - a running broker tells its feeds

        urls = {url for feed in table_of(config).feeds for url in feed.prefixes}
    else:
        urls = {url for feed in served["feeds"] for url in urls_of(feed["urls"])}
    if config.learns(GITLAB) and os.environ.get("GITLAB_CI"):
        urls |= set(urls_of([os.environ.get("CI_API_V4_URL", "")]))
    shapes = [shape for provider, shape in HOST_SHAPES.items() if config.learns(provider)]
    return Instructions(
        secret=os.urandom(SECRET_BYTES).hex(),
        feeds=frozenset(
            Endpoint(url.origin.host, url.origin.port) for url in urls if url.origin.scheme == "https"
        ),
        shapes=tuple(shape.pattern for shape in shapes),
        domains=frozenset().union(*(shape.domains for shape in shapes)),
        is_strict=wish.is_strict,
        allowed=wish.allowed,
        ca=config.ca,
        socket=private if served is None else str(served["socket"]),
    )


def _config_in_force(served: api_client.Json | None) -> Config:
    """As far as a gateway goes by it: what a running broker says, or else the files. Raises CommandError."""
    if served is not None and "auto" in served:
        auto, ca = served["auto"], served["ca"]
        return Config(
            auto=auto if isinstance(auto, bool) else frozenset(auto), ca=None if ca is None else Path(ca)
        )
    from broker.ctl.config_view import configured  # noqa: PLC0415 - the files are read where no broker tells
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same

    found = configured(UserDirs(Path.home(), os.environ))
    if served is None and found.failure is not None:
        raise found.failure
    return found.config


def _tell(report: GatewayReport, code: int) -> None:
    lines = list(report.refused)
    if code != 0:
        lines += report.failed
    if not report.is_complete:
        lines.append("the gateway ended before the command did")
    for line in lines:
        tell(f"token-broker: {line}")
