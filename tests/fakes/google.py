"""Google as google-auth asks it: OAuth, STS, IAM credentials and the metadata server, and the files that
people and workloads sign in with. Put `Google` behind a `ConnectProxy` with `attach`, `metadata` behind a
`WebServer`. Next: `index.py`, which takes the tokens as passwords.
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal
from tests.fakes.tokens import unlike

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.loopback import WebServer

OAUTH_HOST = "oauth2.googleapis.com"
STS_HOST = "sts.googleapis.com"
IAM_HOST = "iamcredentials.googleapis.com"
LIFE_S = 3599
USER = "dev@acme.example"
ROBOT = "robot@acme-project.iam.gserviceaccount.com"
REFRESH_TOKEN = "1//the-users-refresh-token"
SUBJECT_TOKEN = "the-workloads-own-assertion"
POOL = "projects/1/locations/global/workloadIdentityPools/acme/providers/ci"
ROBOT_URL = f"https://{IAM_HOST}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"


class Google:
    """The services. `tokens` are all that were issued, by whom they speak for; `faults` stand before each."""

    def __init__(self) -> None:
        self.faults = {host: Faults() for host in (OAUTH_HOST, STS_HOST, IAM_HOST, "metadata")}
        self.requests: Journal[Request] = Journal()
        self.tokens: dict[str, str] = {}
        self.life_s = LIFE_S

    def attach(self, proxy: ConnectProxy) -> None:
        """Route the hosts of the identity services."""
        for host, answer in ((OAUTH_HOST, self._oauth), (STS_HOST, self._sts), (IAM_HOST, self._iam)):
            proxy.route(host, functools.partial(self._serve, host, answer))

    def metadata(self, request: Request) -> Answer:
        """The metadata server, a service of its own."""
        return self._serve("metadata", self._metadata, request)

    @staticmethod
    def metadata_environment(server: WebServer) -> dict[str, str]:
        """The variable that leads google-auth to it."""
        return {"GCE_METADATA_HOST": server.url.removeprefix("http://")}

    def issue(self, account: str) -> str:
        """A new access token for the account."""
        token = f"ya29.{unlike()}"
        self.tokens[token] = account
        return token

    def _serve(self, host: str, answer: Callable[[Request], Response], request: Request) -> Answer:
        self.requests.add(request)
        return self.faults[host].stand_before(lambda: answer(request))

    def _granted(self, account: str) -> Response:
        return json_response(
            200, {"access_token": self.issue(account), "expires_in": self.life_s, "token_type": "Bearer"}
        )

    def _oauth(self, request: Request) -> Response:
        form = request.form
        if form.get("refresh_token") == REFRESH_TOKEN:
            return self._granted(USER)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._granted(ROBOT)
        return refused("Token has been expired or revoked.")

    def _sts(self, request: Request) -> Response:
        if request.form.get("subject_token") != SUBJECT_TOKEN:
            return json_response(400, {"error": "invalid_grant", "error_description": "bad subject token"})
        return self._granted("workload")

    def _iam(self, request: Request) -> Response:
        if request.bearer not in self.tokens:
            return json_response(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        account = request.path.rpartition("/")[2].partition(":")[0]
        ends = datetime.now(UTC) + timedelta(seconds=self.life_s)
        answer = {"accessToken": self.issue(account), "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return json_response(200, answer)

    def _metadata(self, request: Request) -> Response:
        flavor = (("Metadata-Flavor", "Google"),)
        if request.header("metadata-flavor") != "Google":
            return Response(403, b"", flavor)
        if request.path.endswith("/token"):
            granted = self._granted(ROBOT)
            return Response(200, granted.body, (*granted.headers, *flavor))
        if "/service-accounts/" in request.path:
            told = {"email": ROBOT, "scopes": [], "aliases": ["default"]}
            return json_response(200, told, flavor)
        return Response(200, b"", flavor)


class Files:
    """The credentials files that a home may have. Each method writes one and returns its path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def default(self) -> Path:
        """Where `gcloud auth application-default login` leaves its file, below a home."""
        return self._folder / ".config" / "gcloud" / "application_default_credentials.json"

    def user(self, refresh_token: str = REFRESH_TOKEN, path: Path | None = None) -> Path:
        """A person's sign-in."""
        content = {
            "type": "authorized_user",
            "client_id": "1.apps.googleusercontent.com",
            "client_secret": "not-a-secret",
            "refresh_token": refresh_token,
            "account": USER,
        }
        return _written(path or self.default, content)

    def service_account(self) -> Path:
        """A service account's key."""
        return _written(self._folder / "robot.json", service_account_key())

    def external_account(self) -> Path:
        """A workload identity that reads its assertion from a file."""
        assertion = self._folder / "assertion"
        assertion.write_text(SUBJECT_TOKEN)
        content = {
            "type": "external_account",
            "audience": f"//iam.googleapis.com/{POOL}",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"https://{STS_HOST}/v1/token",
            "service_account_impersonation_url": ROBOT_URL,
            "credential_source": {"file": str(assertion)},
        }
        return _written(self._folder / "workload.json", content)

    def impersonated(self) -> Path:
        """A person's sign-in that acts as the service account."""
        source = json.loads(self.user(path=self._folder / "source.json").read_text())
        content = {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": ROBOT_URL,
            "source_credentials": source,
        }
        return _written(self._folder / "impersonated.json", content)


def refused(description: str, subtype: str | None = None, error: str = "invalid_grant") -> Response:
    """A refusal of the OAuth service."""
    more = {} if subtype is None else {"error_subtype": subtype}
    return json_response(400, {"error": error, "error_description": description, **more})


@functools.cache
def service_account_key() -> dict[str, str]:
    """The content of a service account's key file, made once a run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "acme-project",
        "private_key_id": "0123456789abcdef",
        "private_key": pem.decode(),
        "client_email": ROBOT,
        "client_id": "1",
        "token_uri": f"https://{OAUTH_HOST}/token",
    }


def _written(path: Path, content: Mapping[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path
