"""Who may import whom, and who may read a clock: the table of the house, checked on the source.

A broken rule prints its reason, so that the way out is to move the code, not to widen the table.
"""

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.source_nodes import module, nodes, together

pytestmark = together

ROOT = Path(__file__).parent.parent
BROKER = ROOT / "broker"

PURE_STDLIB = {
    "collections",
    "contextlib",
    "contextvars",
    "dataclasses",
    "datetime",
    "enum",
    "errno",
    "hashlib",
    "ipaddress",
    "re",
    "shlex",
    "typing",
}
"""Standard library modules that touch nothing: all that decisions may use.

`hashlib` and `shlex` turn text into text, for `core/secret_source.py`.
"""

SERVER_SIDE = ("fastapi", "starlette", "uvicorn", "azure", "msal")


@dataclass(frozen=True)
class Rule:
    """What one part may import of the house (`ours`) and of others (`theirs`; None: anything)."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...] | None
    reason: str


RULES = {
    "core": Rule(("core",), (), "decisions touch nothing, so that a table of cases can prove them"),
    "config": Rule(
        ("core", "config", "host.trusted_file"),
        ("pydantic",),
        "the file's shape is known without any provider",
    ),
    "host": Rule(("core", "host"), (), "the machine knows neither feeds nor tokens"),
    "host/http.py": Rule(("core", "host"), ("httpx",), "the one way out"),
    "host/authorities.py": Rule(
        ("core", "host"), ("truststore",), "the one place that says which authorities are trusted"
    ),
    "host/http_errors.py": Rule(("core", "host"), ("httpx", "httpcore"), "names what the way out met"),
    "server": Rule(("core", "server"), (), "the socket knows neither feeds nor tokens"),
    "server/http_protocol.py": Rule(
        ("core", "server"), ("uvicorn", "h11"), "the one file that is uvicorn's neighbour"
    ),
    "providers": Rule(
        ("core", "host", "providers"),
        ("pydantic", "azure", "keyring"),
        "a provider knows how, not when or for whom",
    ),
    "providers/azure/msal_login.py": Rule(
        ("core", "host", "providers"),
        ("azure", "msal_extensions"),
        "asks azure-identity's own store whether it works",
    ),
    "providers/google/google_auth_child.py": Rule(
        (),
        ("google", "requests", "truststore"),
        "a program of its own, which loads google-auth and nothing else",
    ),
    "providers/azure/sdk_child.py": Rule(
        ("providers.azure.requests_transport",),
        ("azure", "requests"),
        "a program of its own, which loads azure-identity for applications and machines",
    ),
    "providers/azure/requests_transport.py": Rule(
        ("host", "providers.retry_after"), ("requests", "urllib3"), "part of that program"
    ),
    "providers/sts_signer_child.py": Rule(
        (), ("botocore", "truststore"), "a program of its own, which signs with botocore and sends nothing"
    ),
    "providers/codeartifact/boto3_child.py": Rule(
        (), ("boto3", "botocore", "truststore"), "a program of its own, which loads boto3 and nothing else"
    ),
    "keeper": Rule(
        ("core", "keeper", "host.clock", "providers.protocol"), (), "renewal knows no provider by name"
    ),
    "api": Rule(
        ("api", "core", "keeper"),
        ("fastapi", "starlette", "prometheus_client"),
        "routes translate, no more",
    ),
    "api/routes_explain.py": Rule(
        ("api", "core", "keeper", "host.lookup_trace"),
        ("fastapi", "starlette"),
        "the one route that listens to a look-up's steps, which a context variable carries",
    ),
    "gateway": Rule(
        ("gateway", "core", "host"),
        ("token_broker_client", "h11", "cryptography"),
        "a process of its own, which asks the broker by its socket like every client",
    ),
    "ctl": Rule(
        (
            *("ctl", "core", "config", "host", "providers.recognise"),
            *("gateway.host_rules", "gateway.instructions", "gateway.upstream_proxy"),
        ),
        ("token_broker_client", "typer", "click", "rich"),
        "the user's tool must start fast, never serve, and never act beside the daemon",
    ),
}
"""The most specific row counts. `daemon` has none: it is the composition root and may import everything."""

ROOMS = ("api", "config", "core", "ctl", "daemon", "gateway", "host", "keeper", "providers", "server")

REPEATED_MODULES = {"provider", "verb", "screen"}
"""Module names that stand in several folders, each for the same kind of thing."""

CLOCK = re.compile(r"(\w+\.)*(time\.\w+|(datetime|date)\.(now|utcnow|today)|asyncio\.sleep)")
"""What reads a clock or sleeps."""


def sources() -> list[Path]:
    return sorted(path for path in BROKER.rglob("*.py") if path != BROKER / "__init__.py")


@cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module that a file imports at run time, wherever in it, with the line."""
    skipped = {
        id(node)
        for guard in nodes(path)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    found: list[tuple[str, int]] = []
    for node in nodes(path):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return tuple(found)


def rule_of(path: Path) -> Rule | None:
    place = path.relative_to(BROKER).as_posix()
    parts = [place, *(place.rsplit("/", count)[0] for count in range(1, place.count("/") + 1))]
    return next((RULES[part] for part in parts if part in RULES), None)


def is_below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def objections(path: Path) -> Iterator[str]:
    rule = rule_of(path)
    if rule is None:
        return
    part = path.relative_to(BROKER).parts[0]
    for name, line in imported(path):
        top = name.partition(".")[0]
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        if top == "broker":
            if not is_below(name, *(f"broker.{ours}" for ours in rule.ours)):
                yield f"{where}: {rule.reason}"
        elif top in sys.stdlib_module_names:
            if part == "core" and top not in PURE_STDLIB:
                yield f"{where}: {rule.reason}"
        elif rule.theirs is not None and not is_below(name, *rule.theirs):
            yield f"{where}: {rule.reason}"


def test_nothing_lies_loose_beside_the_rooms() -> None:
    loose = [path.name for path in BROKER.iterdir() if path.suffix == ".py" and path.name != "__init__.py"]
    rooms = {path.parent.name for path in BROKER.glob("*/__init__.py")}

    assert loose == []
    assert rooms == set(ROOMS)


def test_no_room_is_imported_by_one_that_it_imports() -> None:
    below = {
        room: {
            name.split(".")[1]
            for path in (BROKER / room).rglob("*.py")
            for name, _ in imported(path)
            if name.startswith("broker.") and name.split(".")[1] != room
        }
        for room in ROOMS
    }

    TopologicalSorter(below).prepare()  # raises CycleError, which names the circle


def test_each_module_has_a_name_of_its_own() -> None:
    names = Counter(path.stem for path in sources() if not path.stem.startswith("__"))

    assert {name for name, count in names.items() if count > 1} <= REPEATED_MODULES


def test_each_public_class_has_a_name_of_its_own() -> None:
    files = [*sources(), *(ROOT / "client").glob("token_broker_*.py")]
    places = defaultdict(list)
    for path in files:
        for node in module(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(ROOT).as_posix())

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(BROKER).as_posix())
def test_imports_go_in_the_direction_of_the_house(path: Path) -> None:
    assert not list(objections(path))


def test_no_provider_imports_another() -> None:
    kinds = {
        "azure",
        "basic",
        "command",
        "google",
        "codeartifact",
        "gitlab",
        "artifactory",
        "cloudsmith",
        "nexus",
        "oauth2",
    }
    crossings = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (BROKER / "providers").rglob("*.py")
        for name, _ in imported(path)
        for kind in kinds
        if is_below(name, f"broker.providers.{kind}")
        and path.relative_to(BROKER / "providers").parts[0].removesuffix(".py") != kind
    ]

    assert not crossings


def clock_readings(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Call) and CLOCK.fullmatch(ast.unparse(node.func)):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"


def test_clocks_are_read_and_slept_on_in_one_file_only() -> None:
    readings = [
        reading
        for path in sources()
        if path != BROKER / "host" / "clock.py"
        for reading in clock_readings(path)
    ]

    assert not readings


def test_the_client_imports_nothing_but_the_standard_library() -> None:
    foreign = [
        f"{path.name}:{line} imports {name}"
        for path in (ROOT / "client").glob("token_broker_*.py")
        for name, line in imported(path)
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "token_broker_client", "keyring"}
    ]

    assert not foreign


def test_importing_brokerctl_loads_neither_the_server_nor_an_sdk() -> None:
    program = f"import sys, broker.ctl.app; print([m for m in {SERVER_SIDE!r} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_importing_brokerd_loads_no_sdk_and_no_routes() -> None:
    heavy = (
        *("azure", "msal", "google.auth", "boto3", "botocore", "keyring"),
        *("httpx", "requests", "cryptography", "prometheus_client", "fastapi", "starlette"),
    )
    program = f"import sys, broker.daemon.composition; print([m for m in {heavy!r} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_a_brokerd_whose_socket_is_refused_loads_little() -> None:
    heavy = ("asyncio", "dataclasses", "importlib.metadata", "pydantic", "uvicorn")
    program = f"import sys, broker.daemon.main; print([m for m in {heavy!r} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
