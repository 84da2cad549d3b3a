"""AWS as boto3 and the AWS CLI ask it: CodeArtifact, STS and IAM Identity Center, and the files that a
person signs in with. Put it behind a `ConnectProxy` with `attach`. Signatures are not checked, keys are.
Next: `index.py`, which takes the tokens as passwords.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal
from tests.fakes.tokens import unlike

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.connect_proxy import ConnectProxy

REGION = "eu-west-1"
CODEARTIFACT_HOST = f"codeartifact.{REGION}.amazonaws.com"
CHINESE_HOST = "codeartifact.cn-north-1.amazonaws.com.cn"
STS_HOST = f"sts.{REGION}.amazonaws.com"
SSO_HOST = f"portal.sso.{REGION}.amazonaws.com"
KEY_ID = "AKIAFAKEFAKEFAKEFAKE"
SECRET_KEY = "the-users-secret-key"
SSO_TOKEN = "the-token-of-aws-sso-login"
SSO_START = "https://acme.awsapps.com/start"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/packages/reader"
WEB_IDENTITY = "the-clusters-own-assertion"
LIFE_S = 43200
_SIGNED_BY = re.compile(r"Credential=([A-Z0-9]+)/")


class Aws:
    """The services. `keys` are the access keys that exist, by whose they are; `tokens` were issued."""

    def __init__(self) -> None:
        hosts = (CODEARTIFACT_HOST, CHINESE_HOST, STS_HOST, SSO_HOST)
        self.faults = {host: Faults() for host in hosts}
        self.requests: Journal[Request] = Journal()
        self.keys = {KEY_ID: "user"}
        self.tokens: dict[str, str] = {}

    def attach(self, proxy: ConnectProxy) -> None:
        """Route the hosts of the services."""
        hosts = {
            CODEARTIFACT_HOST: self._codeartifact,
            CHINESE_HOST: self._codeartifact,
            STS_HOST: self._sts,
            SSO_HOST: self._sso,
        }
        for host, answer in hosts.items():
            proxy.route(host, functools.partial(self._serve, host, answer))

    def _serve(self, host: str, answer: Callable[[Request], Response], request: Request) -> Answer:
        self.requests.add(request)
        return self.faults[host].stand_before(lambda: answer(request))

    def _codeartifact(self, request: Request) -> Response:
        signed = _SIGNED_BY.search(request.header("authorization") or "")
        if signed is None or signed[1] not in self.keys:
            return error(403, "UnrecognizedClientException")
        life_s = int(request.query.get("duration") or LIFE_S)
        token = f"codeartifact-{unlike()}"
        self.tokens[token] = self.keys[signed[1]]
        ends = datetime.now(UTC) + timedelta(seconds=life_s)
        return json_response(200, {"authorizationToken": token, "expiration": ends.timestamp()})

    def _sts(self, request: Request) -> Response:
        action = request.form.get("Action", "")
        signed = _SIGNED_BY.search(request.header("authorization") or "")
        if action == "AssumeRole" and (signed is None or signed[1] not in self.keys):
            return sts_error(403, "InvalidClientTokenId")
        if action == "AssumeRoleWithWebIdentity" and request.form.get("WebIdentityToken") != WEB_IDENTITY:
            return sts_error(400, "InvalidIdentityToken")
        return Response(
            200,
            (
                f"<{action}Response><{action}Result><Credentials>"
                f"<AccessKeyId>{self._key('role')}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                f"<SessionToken>t</SessionToken><Expiration>{_ends(3600)}</Expiration>"
                f"</Credentials></{action}Result></{action}Response>"
            ).encode(),
            (("Content-Type", "text/xml"),),
        )

    def _sso(self, request: Request) -> Response:
        if request.header("x-amz-sso_bearer_token") != SSO_TOKEN:
            return error(401, "UnauthorizedException", "Session token not found or invalid")
        given = {"accessKeyId": self._key("sso"), "secretAccessKey": "s", "sessionToken": "t"}
        return json_response(200, {"roleCredentials": {**given, "expiration": 4102444800000}})

    def _key(self, whose: str) -> str:
        key = f"ASIA{uuid.uuid4().hex[:16].upper()}"
        self.keys[key] = whose
        return key


class Home:
    """The files below `~/.aws`. Each method writes one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".aws"
        self._folder.mkdir(parents=True)

    def key(self, profile: str = "default", key_id: str = KEY_ID) -> None:
        """A profile with an access key."""
        lines = f"[{profile}]\naws_access_key_id = {key_id}\naws_secret_access_key = {SECRET_KEY}\n"
        (self._folder / "credentials").write_text(lines)

    def sso(self, profile: str = "work", token: str = SSO_TOKEN, life_s: float = 3600) -> None:
        """A profile of IAM Identity Center, and what `aws sso login` left."""
        (self._folder / "config").write_text(
            f"[profile {profile}]\nsso_start_url = {SSO_START}\nsso_region = {REGION}\n"
            f"sso_account_id = {ACCOUNT}\nsso_role_name = Reader\n"
        )
        cache = self._folder / "sso" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha1(SSO_START.encode(), usedforsecurity=False).hexdigest()
        content = {"startUrl": SSO_START, "region": REGION, "accessToken": token, "expiresAt": _ends(life_s)}
        (cache / f"{name}.json").write_text(json.dumps(content))


def error(status: int, code: str, message: str = "no") -> Response:
    """A refusal of a JSON service."""
    return json_response(status, {"message": message}, (("x-amzn-ErrorType", code),))


def sts_error(status: int, code: str) -> Response:
    """A refusal of STS."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return Response(status, body.encode(), (("Content-Type", "text/xml"),))


def _ends(life_s: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=life_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
