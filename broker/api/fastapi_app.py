"""Every route, as FastAPI serves it behind the AsgiApp."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from broker.api import (
    routes_actions,
    routes_explain,
    routes_login,
    routes_lookup,
    routes_shares,
    routes_status,
)
from broker.api.backend import Backend
from broker.api.openapi import PROBLEMS
from broker.api.problems import problem, wants_text
from broker.core.failures import BadRequest, Failure


def create_app(backend: Backend) -> FastAPI:
    """Every route, with its OpenAPI page. `AsgiApp` checks every request before it gets here."""
    app = FastAPI(
        title="token-broker",
        version=backend.about.version,
        summary="Fresh credentials for private Python package feeds, on a Unix socket.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # no client of ours follows one, and the page names none
        default_response_class=JSONResponse,
        responses=PROBLEMS,
    )
    app.state.backend = backend
    for router in (
        module.router
        for module in (
            routes_lookup,
            routes_status,
            routes_actions,
            routes_shares,
            routes_explain,
            routes_login,
        )
    ):
        app.include_router(router)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(Failure, _refused)
    return app


async def _not_valid(request: Request, error: Exception) -> Response:
    """A parameter is missing or malformed. What was sent is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    failure = BadRequest(f"{first['loc'][-1]}: {str(first['msg']).lower()}")
    return problem(failure, text=wants_text(request.scope["headers"]))


async def _refused(request: Request, error: Exception) -> Response:
    """This caller may not ask that, or cannot be identified now."""
    if not isinstance(error, Failure):
        raise error
    return problem(error, text=wants_text(request.scope["headers"]))


async def _not_found(request: Request, error: Exception) -> Response:
    """No such route, or not by this method."""
    if not isinstance(error, HTTPException):
        raise error
    failure = BadRequest(f"{request.method} {request.url.path} is not a route", hint="brokerctl --help")
    response = problem(failure, text=wants_text(request.scope["headers"]), status=error.status_code)
    response.headers.update(error.headers or {})  # a 405 must carry Allow (RFC 9110, section 15.5.6)
    return response
