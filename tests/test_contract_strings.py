"""Strings that others rely on, whatever our modules and classes are called: log filters, variables, commands.

A failure here means that a rename reached users: put the old string back, or keep it beside the new one. The
same for plug-ins is `test_plugin_surface.py`; for files it is `test_files_on_disk.py` and, for what setup
undoes, `tests/ctl/test_old_undo_logs.py`.
"""

import ast
import asyncio.log
import importlib.util
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import fields
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import uvicorn.server

import broker.api.principal
import broker.core.access
import broker.ctl.service.verb
import broker.server.acceptor
import broker.server.http_server
from broker.core.refresh import State
from broker.core.status import FeedStatus
from tests.source_nodes import nodes, together

pytestmark = together

ROOT = Path(__file__).parent.parent

LOGGERS = {
    "asyncio",
    "broker",
    "broker.audit",
    "broker.caretaker",
    "broker.daemon",
    "broker.defects",
    "broker.herald",
    "broker.host.door",
    "broker.keeper",
    "broker.plugins",
    "broker.providers.azure",
    "broker.service",
    "broker.shares",
    "broker.suppliers",
    "broker.trials",
}

STARTED_WITH_M = {
    "broker.gateway.gateway_main",
    "broker.ctl.demo.token_command",
    "broker.daemon.new_feed_check",
    "broker.ctl.setup.sandbox_probe",
    "broker.providers.azure.sdk_child",
    "broker.providers.codeartifact.boto3_child",
    "broker.providers.google.google_auth_child",
    "broker.providers.keyring_store",
    "broker.providers.sts_signer_child",
}
"""No unit and no configuration has one of these: when a module moves, this list and its `-m` move with it."""

FILES = {"broker.lock", "broker.sock"}
LOG_NOTES = {"broker.log"}  # what the log says of itself

VARIABLES = {
    "TOKEN_BROKER_AUTOSTART",
    "TOKEN_BROKER_CHILD",
    "TOKEN_BROKER_CONFIG",
    "TOKEN_BROKER_NOTIFY",
    "TOKEN_BROKER_PASSED",
    "TOKEN_BROKER_PLATFORM",
    "TOKEN_BROKER_PRIVATE",
    "TOKEN_BROKER_PURE",
    "TOKEN_BROKER_SECRET",
    "TOKEN_BROKER_SOCKET",
    "TOKEN_BROKER_TIMEOUT",
    "TOKEN_BROKER_TRUST_UID",
}


@cache
def sources() -> list[Path]:
    """The files of broker/ and client/."""
    return [*(ROOT / "broker").rglob("*.py"), *(ROOT / "client").glob("*.py")]


@cache
def texts() -> tuple[str, ...]:
    """Every string of the program that is not a docstring."""
    found = []
    for path in sources():
        said = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
        found += [
            node.value
            for node in nodes(path)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
        ]
    return tuple(found)


def loggers() -> set[str]:
    """The names of the loggers that the source gets; what stands for its file's dotted path is that path."""
    found = set()
    for path in sources():
        for node in nodes(path):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("getLogger"):
                continue
            match node.args:
                case [ast.Constant(value=str(name))]:
                    found.add(name)
                case [ast.Name(id="__name__")]:
                    found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


def started_with_m() -> set[str]:
    """Modules of ours whose dotted name is a string, or stands after `-m` in one."""
    whole, inside = re.compile(r"broker(?:\.\w+)+"), re.compile(r"-m (broker[\w.]*|token_broker[\w.]*)")
    units = [path for folder in ("systemd", "launchd") for path in (ROOT / folder).rglob("*.*")]
    every = [*texts(), *(path.read_text() for path in units if path.is_file())]
    named = {text for text in every if whole.fullmatch(text)}
    return (named | {name for text in every for name in inside.findall(text)}) - LOGGERS - FILES - LOG_NOTES


def test_the_loggers_are_those_that_users_filter_by() -> None:
    assert loggers() == LOGGERS


def test_a_logger_that_is_held_to_a_quota_is_one_that_speaks() -> None:
    foreign = {asyncio.log.logger.name, uvicorn.server.logger.name}

    assert set(broker.server.http_server.THROTTLED_LOGGERS) == {broker.server.acceptor.log.name, *foreign}


def test_each_module_that_is_started_is_one_that_can_be() -> None:
    assert started_with_m() == STARTED_WITH_M


@pytest.mark.parametrize("module", sorted(STARTED_WITH_M))
def test_a_module_that_is_started_does_something(module: str) -> None:
    found = importlib.util.find_spec(module)

    assert found is not None
    assert 'if __name__ == "__main__":' in Path(str(found.origin)).read_text()


def test_the_commands_are_there() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert scripts.keys() == {"brokerd", "brokerctl"}
    assert all(callable(EntryPoint(name, target, "").load()) for name, target in scripts.items())


def test_a_brokerd_that_was_started_as_a_module_is_ended(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "__init__.py").touch()
    (tmp_path / "broker" / "daemon.py").write_text("import sys; print(flush=True); sys.stdin.read()")
    command = [sys.executable, "-m", "broker.daemon"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, env={}) as old:
        assert old.stdout is not None
        old.stdout.readline()  # a process that has just been made has no command line yet

        broker.ctl.service.verb.end(old.pid)

    assert old.returncode == -signal.SIGTERM


def test_the_server_and_the_routes_mean_the_same_extensions() -> None:
    for module in (broker.core.access, broker.api.principal):
        found = (module.PEER_EXTENSION, module.SOCKET_KIND_EXTENSION)
        assert found == ("token_broker.peer", "token_broker.entrance")


def test_the_variables_are_those_that_people_set() -> None:
    one = re.compile(r"TOKEN_BROKER_[A-Z_]*[A-Z]")
    native = (ROOT / "client" / "keyring_shim.c").read_text()

    found = {name for text in (*texts(), native) for name in one.findall(text)}

    assert found == VARIABLES


def test_status_shows_each_feed_under_the_keys_that_scripts_read() -> None:
    assert [field.name for field in fields(FeedStatus)] == [
        *("name", "provider", "realm", "urls", "configured", "usable", "state", "since", "source", "account"),
        *("tenant", "scope", "username", "obtained_at", "expires_at", "refresh_at", "ttl_s", "left_s"),
        *("lookups", "fetches", "last_used_at", "error", "hint", "shares", "warning"),
        *("verified_at", "verdict", "end_unknown", "required_username", "unverified"),
    ]
    assert [state.value for state in State] == [
        *("empty", "fresh", "due", "expired", "failing", "refused", "sign-in-needed"),
    ]
