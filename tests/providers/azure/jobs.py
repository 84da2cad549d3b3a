"""An application of the fake directory, and what its jobs and its machine sign in with."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import load_pem_x509_certificate

from tests.fakes.entra import Application
from tests.fakes.managed_identity import ManagedIdentities
from tests.fakes.oidc import GITHUB_HOST, PIPELINES_HOST, GithubOidc, PipelinesOidc
from tests.fakes.tokens import Account, sign
from tests.providers.azure.feeds import TENANT, feed_with, leave

if TYPE_CHECKING:
    from pathlib import Path

    from broker.core.feeds import Feed
    from broker.providers.protocol import ProviderContext
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.loopback import WebServer

CLIENT = "66666666-2222-3333-4444-555555555555"
CONNECTION = "77777777-2222-3333-4444-555555555555"
SECRET = "the application's s3cret"
SUBJECT = "repo:acme/app:ref:refs/heads/main"
LOGIN_HOST = "login.microsoftonline.com"


@cache
def certificate() -> tuple[bytes, bytes]:
    """A certificate of an application, alone and with its key; the same at each call."""
    return new_certificate()


def new_certificate() -> tuple[bytes, bytes]:
    """Another certificate, alone and with its key."""
    made = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("app.example", key_type=trustme.KeyType.RSA)
    pem = made.cert_chain_pems[0].bytes()
    return pem, made.private_key_pem.bytes() + pem


def sealed_certificate(password: str) -> bytes:
    """The same two in a PKCS #12 file with a password."""
    pem, key_and_pem = certificate()
    key = load_pem_private_key(key_and_pem, None)
    assert isinstance(key, RSAPrivateKey)
    return serialize_key_and_certificates(
        b"app", key, load_pem_x509_certificate(pem), None, BestAvailableEncryption(password.encode())
    )


def signing_in() -> list[str]:
    """The command lines of our own children that sign in."""
    look = ["ps", "-ww", "-eo", "ppid=,args="]  # -ww: a long path to the interpreter is not cut
    told = subprocess.run(look, capture_output=True, text=True, check=True).stdout
    ours = [line.split(None, 1)[1] for line in told.splitlines() if line.split()[0] == str(os.getpid())]
    return [line for line in ours if "azure.sdk_child" in line]


class Job:
    """All of them on one machine. `environment` lays variables over the provider's own."""

    def __init__(self, tools: ProviderContext, cloud: AzureDevOps, proxy: ConnectProxy, folder: Path) -> None:
        self.tools = tools
        self.cloud = cloud
        self.proxy = proxy
        self.folder = folder
        self.github = GithubOidc(SUBJECT)
        self.pipelines = PipelinesOidc(SUBJECT, CONNECTION)
        self.identities = ManagedIdentities(TENANT)
        self.identities.identities[CLIENT] = Account(CLIENT, TENANT, application=True)
        self.machine: WebServer
        proxy.route(GITHUB_HOST, self.github)
        proxy.route(PIPELINES_HOST, self.pipelines)
        # the machine's own endpoint must be reached without the proxy that plain HTTP has here
        leave(tools, **proxy.environment({}), HTTP_PROXY=proxy.url, http_proxy=proxy.url)

    def feed(self, way: str, **more: object) -> Feed:
        """A feed that signs in by this way alone, whose job or machine has all that it takes."""
        keys: dict[str, Any] = {"auth": [way], "client_id": CLIENT, **self._prepared(way), **more}
        return feed_with(**keys)

    def _prepared(self, way: str) -> dict[str, object]:
        """Whatever the way needs is put in its place; returns the keys that say where."""
        match way:
            case "client-secret":
                self.register(secret=SECRET)
                return {"secret": f"file:{self.file('secret', SECRET)}"}
            case "client-certificate":
                pem, key_and_pem = certificate()
                self.register(certificate_pem=pem)
                return {"certificate": str(self.file("app.pem", key_and_pem))}
            case "workload-identity":
                self.register(federated_subject=SUBJECT)
                assertion = sign({"sub": SUBJECT, "aud": "api://AzureADTokenExchange"})
                leave(self.tools, AZURE_FEDERATED_TOKEN_FILE=str(self.file("assertion", assertion)))
            case "github-oidc":
                self.register(federated_subject=SUBJECT)
                leave(self.tools, **self.github.environment)
            case "azure-pipelines":
                self.register(federated_subject=SUBJECT)
                leave(self.tools, **self.pipelines.environment)
                return {"service_connection_id": CONNECTION}
            case "managed-identity":
                leave(self.tools, **ManagedIdentities.imds_environment(self.machine))
            case "default":
                self.register(secret=SECRET)
                leave(self.tools, AZURE_CLIENT_ID=CLIENT, AZURE_TENANT_ID=TENANT, AZURE_CLIENT_SECRET=SECRET)
        return {}

    def register(self, **proof: Any) -> None:  # noqa: ANN401 - the application's own
        """Let the application sign in with this proof."""
        self.cloud.entra.register(Application(CLIENT, TENANT, **proof))

    def file(self, name: str, content: str | bytes) -> Path:
        """A private file of the job's."""
        made = self.folder / name
        made.touch(mode=0o600)
        made.write_bytes(content if isinstance(content, bytes) else content.encode())
        return made
