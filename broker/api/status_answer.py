"""What those are answered who only look, a prompt or a liveness probe, without FastAPI: for them it would
double the daemon's memory. Next: `routes_status.py`, which has FastAPI describe the same.
"""

from broker.api.backend import Backend, status_of
from broker.api.principal import Scope, principal_of
from broker.api.problems import answer_to, wants_text
from broker.api.response import JSON, LookupResponse, json_answer
from broker.core.failures import Failure
from broker.core.status import to_json

ALIVE = LookupResponse(200, JSON, '{"status":"ok"}')


async def status_answer(backend: Backend, scope: Scope) -> LookupResponse:
    """Everything that this caller may want to know, or why they are told nothing; no secrets."""
    try:
        principal = await principal_of(backend, scope)
    except Failure as failure:
        return answer_to(failure, text=wants_text(scope["headers"]))
    return json_answer(to_json(status_of(backend, principal)))
