"""The services from which a pipeline's job gets an assertion about itself: GitHub's and Azure Pipelines'.
Route them under any host name; the job's own variables say where they are.
Next: `entra_grants.py`, which takes the assertion for a client's proof.
"""

from __future__ import annotations

from tests.fakes import tokens
from tests.fakes.faults import Faults, redirect
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal

GITHUB_HOST = "pipelines.actions.githubusercontent.com"
PIPELINES_HOST = "dev.azure.com"
JOB_TOKEN = "the job's own token"
FEDERATED_AUDIENCE = "api://AzureADTokenExchange"


class GithubOidc:
    """A service: GET with `audience` and the job's bearer gives the assertion as `value`."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.faults = Faults()
        self.requests: Journal[Request] = Journal()
        self.environment = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{GITHUB_HOST}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_TOKEN,
        }

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.faults.stand_before(lambda: self._answer(request))

    def _answer(self, request: Request) -> Response:
        if request.bearer != JOB_TOKEN:
            return json_response(401, {"message": "the job's token is missing or wrong"})
        audience = request.query.get("audience", "https://github.com/acme")
        return json_response(200, {"count": 1, "value": _assertion(self.subject, audience)})


class PipelinesOidc:
    """A service: POST with the service connection and the job's bearer gives it as `oidcToken`."""

    def __init__(self, subject: str, service_connection: str) -> None:
        self.subject = subject
        self.service_connection = service_connection
        self.faults = Faults()
        self.requests: Journal[Request] = Journal()
        self.environment = {
            "SYSTEM_OIDCREQUESTURI": f"https://{PIPELINES_HOST}/acme/_apis/distributedtask/oidctoken",
            "SYSTEM_ACCESSTOKEN": JOB_TOKEN,
        }

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.faults.stand_before(lambda: self._answer(request))

    def _answer(self, request: Request) -> Response:
        if request.bearer != JOB_TOKEN:
            if (request.header("x-tfs-fedauthredirect") or "").lower() != "suppress":
                return redirect(f"https://{PIPELINES_HOST}/_signin")
            return json_response(401, {"message": "TF400813: not authorized"})
        if request.query.get("serviceConnectionId") != self.service_connection:
            return json_response(404, {"message": "no such service connection"})
        return json_response(200, {"oidcToken": _assertion(self.subject, FEDERATED_AUDIENCE)})


def _assertion(subject: str, audience: str) -> str:
    return tokens.sign({"iss": "https://fakes.example", "sub": subject, "aud": audience})
