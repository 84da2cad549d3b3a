"""docs/reference/http-api.md and metrics.md: the routes from OpenAPI, the metrics from the file that makes them."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import broker.api.metrics
from broker.api.backend import Backend
from broker.api.fastapi_app import create_app
from broker.core.problem import PROBLEM_TYPES
from tools.reference import markdown


class Route(NamedTuple):
    """One route: method, path, its parameters with their places, and what it answers."""

    method: str
    path: str
    parameters: tuple[str, ...]
    does: str


def routes() -> list[Route]:
    """Return every route of the OpenAPI page, and the page's own."""
    backend = cast("Backend", SimpleNamespace(about=SimpleNamespace(version="any")))
    page = create_app(backend).openapi()
    found = [
        Route(method.upper(), path, tuple(_parameters(operation)), _does(operation))
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
    ]
    return [*found, Route("GET", "/openapi.json", (), "This page's source, as OpenAPI 3.1.")]


def _parameters(operation: dict[str, Any]) -> list[str]:
    return [
        f"{each['name']}{'' if each.get('required') else ' (optional)'}"
        for each in operation.get("parameters", ())
        if each["in"] == "query"
    ]


def _does(operation: dict[str, Any]) -> str:
    return " ".join(
        str(operation.get("description") or operation.get("summary", "")).split("\n\n")[0].split()
    )


class Metric(NamedTuple):
    """One metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    means: str


def metrics() -> list[Metric]:
    """Return every metric that the daemon's sources make. Raises ValueError for one that cannot be read."""
    source = ast.parse(Path(broker.api.metrics.__file__).read_text())
    found = []
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("MetricFamily"):
            name, means = (str(ast.literal_eval(each)) for each in node.args)
            labels = next(
                (ast.literal_eval(each.value) for each in node.keywords if each.arg == "labels"), ()
            )
            kind = ast.unparse(node.func).removesuffix("MetricFamily").lower()
            found.append(Metric(name + ("_total" if kind == "counter" else ""), kind, tuple(labels), means))
    return found


def api_page() -> str:
    """The page of the routes."""
    return markdown.page(
        "Socket API",
        "HTTP/1.1 on the broker's Unix socket. The `Host` is `broker` or `localhost`; a request with `Origin`, "
        "`Referer`, `Sec-Fetch-*` or `X-Forwarded-For` is refused. Routes under `/v1` stay as they are, and get "
        "new members only.",
        '```sh\ncurl --unix-socket "$XDG_RUNTIME_DIR/token-broker/broker.sock" http://broker/v1/status\n```',
        markdown.table(
            ("route", "parameters", "what it answers"),
            (
                (f"`{each.method} {each.path}`", ", ".join(map(markdown.code, each.parameters)), each.does)
                for each in routes()
            ),
        ),
        "## Failures",
        "Every failure is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, `hint` (a "
        "command to type, or null) and `feed`; with `Accept: text/plain` it is one line.",
        markdown.table(
            ("status", "type", "when"),
            ((f"`{each.status}`", f"`{each.slug}`", each.title) for each in PROBLEM_TYPES.values()),
        ),
    )


def metrics_page() -> str:
    """The page of the metrics."""
    return markdown.page(
        "Metrics",
        "`GET /metrics` on the broker's socket answers in Prometheus' text format. A caller sees the feeds that it "
        "may use. No label holds an address or a secret.",
        markdown.table(
            ("metric", "kind", "labels", "meaning"),
            (
                (f"`{each.name}`", each.kind, ", ".join(map(markdown.code, each.labels)), each.means)
                for each in metrics()
            ),
        ),
    )
