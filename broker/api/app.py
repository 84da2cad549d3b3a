"""The API as the socket serves it: a front that guards and answers look-ups, and FastAPI for all the rest."""

from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.api import explaining, lookups, orders, sharing, signing, watching
from broker.api.office import Office
from broker.api.problems import problem, wants_text
from broker.core.failures import BadRequest, Failure, NotAllowed

HOSTS = frozenset({b"broker", b"localhost"})
"""A browser that was led here by DNS rebinding names the attacker's host."""

BROWSER_HEADERS = (b"origin", b"referer", b"x-forwarded-for")
BROWSER_PREFIX = b"sec-fetch-"


class Front:
    """Turns browsers away, answers well-formed look-ups itself, and leaves the rest to FastAPI.

    The direct way costs a look-up less than half of what FastAPI's routing, parsing and middleware do.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._rest: ASGIApp = create_app(office)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            failure = _objection(scope["headers"])
            if failure is not None:
                await problem(failure, text=wants_text(scope["headers"]))(scope, receive, send)
                return
            if scope["path"] == "/v1/credential" and scope["method"] == "GET":
                question = _question(scope["query_string"])
                if question is not None:
                    response = await lookups.answer(self._office, question, scope)
                    await response(scope, receive, send)
                    return
        await self._rest(scope, receive, send)


def create_app(office: Office) -> FastAPI:
    """Every route, with its OpenAPI page. Unguarded: the Front stands before it."""
    app = FastAPI(
        title="token-broker",
        version=office.about.version,
        summary="Fresh credentials for private Python package feeds, on a Unix socket.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.office = office
    for router in (module.router for module in (lookups, watching, orders, sharing, explaining, signing)):
        app.include_router(router)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(Failure, _refused)
    return app


def _question(query: bytes) -> lookups.Question | None:
    """The look-up that a query string asks, or None for one whose faults FastAPI shall name."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")
    values = dict(pairs)
    if len(values) != len(pairs) or "url" not in values or not values.keys() <= {"url", "username", "wait"}:
        return None
    try:
        wait_s = float(values.get("wait", lookups.WAIT_DEFAULT_S))
    except ValueError:
        return None
    return lookups.Question(values["url"], values.get("username"), wait_s) if wait_s >= 0 else None


def _objection(headers: list[tuple[bytes, bytes]]) -> Failure | None:
    hosts = [value.partition(b":")[0] for name, value in headers if name == b"host"]
    if len(hosts) != 1 or hosts[0] not in HOSTS:
        return BadRequest("the Host header must be broker or localhost")
    for name, _ in headers:
        if name in BROWSER_HEADERS or name.startswith(BROWSER_PREFIX):
            return NotAllowed(f"no browser may ask: requests with {name.decode('latin-1')} are refused")
    return None


async def _not_valid(request: Request, error: Exception) -> Response:
    """A parameter is missing or malformed. What was sent is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    failure = BadRequest(f"{first['loc'][-1]}: {str(first['msg']).lower()}")
    return problem(failure, text=wants_text(request.scope["headers"]))


async def _refused(request: Request, error: Exception) -> Response:
    """This guest may not ask that, or cannot be told from others now."""
    if not isinstance(error, Failure):
        raise error
    return problem(error, text=wants_text(request.scope["headers"]))


async def _not_found(request: Request, error: Exception) -> Response:
    """No such route, or not by this method."""
    if not isinstance(error, HTTPException):
        raise error
    failure = BadRequest(f"{request.method} {request.url.path} is not a route", hint="brokerctl --help")
    return problem(failure, text=wants_text(request.scope["headers"]), status=error.status_code)
