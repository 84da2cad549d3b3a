"""The FastAPI app: its routes, and the guard that turns browsers and strangers' proxies away."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.api import explaining, lookups, orders, watching
from broker.api.office import Office
from broker.api.problems import problem
from broker.core.failures import BadRequest, Failure, NotAllowed

HOSTS = frozenset({b"broker", b"localhost"})
"""A browser that was led here by DNS rebinding names the attacker's host."""

BROWSER_HEADERS = (b"origin", b"referer", b"x-forwarded-for")
BROWSER_PREFIX = b"sec-fetch-"


def create_app(office: Office) -> FastAPI:
    """The app over one daemon."""
    app = FastAPI(
        title="token-broker",
        version=office.about.version,
        summary="Fresh credentials for private Python package feeds, on a Unix socket.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.office = office
    for router in (lookups.router, watching.router, orders.router, explaining.router):
        app.include_router(router)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_middleware(Guard)
    return app


class Guard:
    """Refuses what no client of a Unix socket would send. Plain ASGI: it costs a look-up a microsecond."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 or 400 without it."""
        if scope["type"] == "http":
            failure = _objection(scope["headers"])
            if failure is not None:
                await problem(Request(scope), failure)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _objection(headers: list[tuple[bytes, bytes]]) -> Failure | None:
    hosts = [value.partition(b":")[0] for name, value in headers if name == b"host"]
    if len(hosts) != 1 or hosts[0] not in HOSTS:
        return BadRequest("the Host header must be broker or localhost")
    for name, _ in headers:
        if name in BROWSER_HEADERS or name.startswith(BROWSER_PREFIX):
            return NotAllowed(
                f"requests with {name.decode('ascii', 'replace')} are refused: no browser may ask"
            )
    return None


async def _not_valid(request: Request, error: Exception) -> Response:
    """A parameter is missing or malformed. What was sent is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    return problem(request, BadRequest(f"{first['loc'][-1]}: {str(first['msg']).lower()}"))


async def _not_found(request: Request, error: Exception) -> Response:
    """No such route, or not by this method."""
    if not isinstance(error, HTTPException):
        raise error
    failure = BadRequest(f"{request.method} {request.url.path} is not a route", hint="brokerctl --help")
    return problem(request, failure, status=error.status_code)
