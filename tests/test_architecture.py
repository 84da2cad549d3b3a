"""Who may import whom, and who may read a clock: the table of the house, checked on the source.

A broken rule prints its reason, so that the way out is to move the code, not to widen the table.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROKER = ROOT / "broker"

PURE_STDLIB = {
    "collections",
    "contextlib",
    "contextvars",
    "dataclasses",
    "datetime",
    "enum",
    "ipaddress",
    "re",
    "typing",
}
"""Standard library modules that touch nothing: all that decisions may use."""

SERVER_SIDE = ("fastapi", "starlette", "uvicorn", "azure", "msal")


@dataclass(frozen=True)
class Rule:
    """What one part may import of the house (`ours`) and of others (`theirs`; None: anything)."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...] | None
    reason: str


RULES = {
    "core": Rule(("core",), (), "decisions touch nothing, so that a table of cases can prove them"),
    "host": Rule(("core", "host"), (), "the machine knows neither feeds nor tokens"),
    "host/peer.py": Rule(("core", "host"), ("uvicorn", "h11"), "the one file that is uvicorn's neighbour"),
    "host/http.py": Rule(("core", "host"), ("httpx", "truststore"), "the one way out"),
    "host/unreachable.py": Rule(("core", "host"), ("httpx", "httpcore"), "names what the way out met"),
    "providers": Rule(
        ("core", "host", "providers"),
        ("pydantic", "azure", "keyring"),
        "a provider knows how, not when or for whom",
    ),
    "providers/azure/credentials.py": Rule(
        ("core", "host", "providers"),
        ("azure", "msal_extensions"),
        "asks azure-identity's own store whether it works",
    ),
    "providers/google/sign_in.py": Rule(
        (),
        ("google", "requests", "truststore"),
        "a program of its own, which loads google-auth and nothing else",
    ),
    "providers/azure/sign_in.py": Rule(
        ("providers.azure.way_out",),
        ("azure", "requests"),
        "a program of its own, which loads azure-identity for applications and machines",
    ),
    "providers/azure/way_out.py": Rule(
        ("host", "providers.retry_after"), ("requests", "urllib3"), "part of that program"
    ),
    "providers/codeartifact/sign_in.py": Rule(
        (), ("boto3", "botocore", "truststore"), "a program of its own, which loads boto3 and nothing else"
    ),
    "keeper.py": Rule(
        (
            "core",
            "agenda",
            "entries",
            "flights",
            "policies",
            "suppliers",
            "trials",
            "host.clock",
            "providers.protocol",
        ),
        (),
        "renewal knows no provider by name",
    ),
    "suppliers.py": Rule(("core", "providers.protocol"), (), "the wall knows no provider by name"),
    "trials.py": Rule(
        ("core", "entries", "host.clock"), (), "a trial knows neither feeds' services nor renewal"
    ),
    "flights.py": Rule(
        ("core", "entries", "suppliers", "host.clock"),
        (),
        "a flight knows nobody who asked for it",
    ),
    "policies.py": Rule(("core",), (), "a rule starts nothing"),
    "agenda.py": Rule(("core", "entries"), (), "an order of business starts nothing"),
    "entries.py": Rule(("core",), (), "bookkeeping decides and fetches nothing"),
    "ledger.py": Rule(("core",), (), "counting knows nothing of what it counts"),
    "config.py": Rule(("core",), ("pydantic",), "the file's shape is known without any provider"),
    "api": Rule(
        ("api", "core", "keeper", "ledger"),
        ("fastapi", "starlette", "prometheus_client"),
        "routes translate, no more",
    ),
    "ctl": Rule(
        ("ctl", "core", "config", "host", "providers.recognise"),
        ("token_broker_client", "typer", "click", "rich", "tomlkit"),
        "the user's tool must start fast and never act beside the daemon",
    ),
}
"""The most specific row counts. A part without a row is the composition root and may import everything."""

BANNED = {
    "ctl": (("broker.host.listen", "broker.host.peer", "broker.host.door"), "brokerctl never serves"),
}

CLOCK = re.compile(r"(\w+\.)*(time\.\w+|(datetime|date)\.(now|utcnow|today)|asyncio\.sleep)")
"""What reads a clock or sleeps."""


def sources() -> list[Path]:
    return sorted(path for path in BROKER.rglob("*.py") if path != BROKER / "__init__.py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports at run time, wherever in it, with the line."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def rule_of(path: Path) -> Rule | None:
    place = path.relative_to(BROKER).as_posix()
    parts = [place, *(place.rsplit("/", count)[0] for count in range(1, place.count("/") + 1))]
    return next((RULES[part] for part in parts if part in RULES), None)


def is_below(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def objections(path: Path) -> Iterator[str]:
    rule = rule_of(path)
    if rule is None:
        return
    part = path.relative_to(BROKER).parts[0]
    for module, line in imported(path):
        top = module.partition(".")[0]
        where = f"{path.relative_to(ROOT)}:{line} imports {module}"
        if top == "broker":
            if not is_below(module, *(f"broker.{ours}" for ours in rule.ours)):
                yield f"{where}: {rule.reason}"
        elif top in sys.stdlib_module_names:
            if part == "core" and top not in PURE_STDLIB:
                yield f"{where}: {rule.reason}"
        elif rule.theirs is not None and not is_below(module, *rule.theirs):
            yield f"{where}: {rule.reason}"
        for banned, reason in [BANNED[part]] if part in BANNED else []:
            if is_below(module, *banned):
                yield f"{where}: {reason}"


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
        "nexus",
        "oauth2",
    }
    crossings = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (BROKER / "providers").rglob("*.py")
        for module, _ in imported(path)
        for kind in kinds
        if is_below(module, f"broker.providers.{kind}")
        and path.relative_to(BROKER / "providers").parts[0].removesuffix(".py") != kind
    ]

    assert not crossings


def clock_readings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
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
        f"{path.name}:{line} imports {module}"
        for path in (ROOT / "client").glob("token_broker_*.py")
        for module, line in imported(path)
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "token_broker_client", "keyring"}
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
    program = f"import sys, broker.daemon; print([m for m in {heavy!r} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
