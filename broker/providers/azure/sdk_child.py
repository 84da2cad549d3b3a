"""Signs in with azure-identity and prints the outcome as JSON: the one file that loads that SDK.

Run by `sdk_client.py` as a program with one word, a JSON object of what to sign in with; the secret of it
comes in a variable that only this process has. One attempt: the caller retries. What came over the
network is read from our own way out, not from the SDK's words, which quote what was sent.
"""

import gc
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import SupportsTokenInfo, TokenRequestOptions

SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""All that the application may do at Azure DevOps: a bare resource id is no scope for client credentials."""

SECRET = "TOKEN_BROKER_SECRET"  # noqa: S105 - a variable's name
"""The client secret, the certificate's password, or the assertion."""

MACHINE = "managed-identity"

Ask = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Sign in as the arguments say; returns 0 for a token and for every failure that is understood."""
    warnings.simplefilter("ignore")  # those of the SDK and what it loads are for developers who build on it
    ask = json.loads(arguments[0])
    if ask["way"] == MACHINE:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]  # it is on this machine's own link: a proxy would ask for its own identity
    sys.stdout.write(json.dumps(_outcome(ask)))
    return 0


def _outcome(ask: Ask) -> dict[str, object]:
    """`token` and `expires_on` (seconds since 1970), or what is known of the failure."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - as `_WAYS`
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - as `_WAYS`
    from azure.identity import CredentialUnavailableError  # noqa: PLC0415 - as `_WAYS`
    from requests import Session  # noqa: PLC0415 - as `_WAYS`

    from broker.providers.azure.requests_transport import BrokerTransport  # noqa: PLC0415 - brings requests

    way_out = BrokerTransport(None if ask.get("ca") is None else Path(ask["ca"]))
    session = Session()
    session.trust_env = False  # a netrc entry of the host would take the place of the bearer
    for scheme in ("https://", "http://"):
        session.mount(scheme, way_out)
    options: dict[str, Any] = {"transport": RequestsTransport(session=session), "retry_total": 0}
    if ask.get("login_host"):
        options["authority"] = ask["login_host"]
    try:
        wanted: TokenRequestOptions = {"claims": ask["claims"]} if ask.get("claims") else {}
        told = _WAYS[ask["way"]](ask, options).get_token_info(SCOPE, options=wanted)
    except CredentialUnavailableError:
        return {**way_out.told(), "unavailable": True}
    except (AzureError, ValueError, OSError) as error:
        return {**way_out.told(), "kind": type(error).__name__}
    return {"token": told.token, "expires_on": told.expires_on}


def _client_secret(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import ClientSecretCredential  # noqa: PLC0415 - as `_WAYS`

    return ClientSecretCredential(ask["tenant"], ask["client_id"], os.environ[SECRET], **options)


def _client_certificate(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import CertificateCredential  # noqa: PLC0415 - as `_WAYS`

    password = os.environ.get(SECRET) or None
    return CertificateCredential(
        ask["tenant"], ask["client_id"], ask["certificate"], password=password, **options
    )


def _assertion(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import ClientAssertionCredential  # noqa: PLC0415 - as `_WAYS`

    return ClientAssertionCredential(ask["tenant"], ask["client_id"], lambda: os.environ[SECRET], **options)


def _workload_identity(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415 - as `_WAYS`

    return WorkloadIdentityCredential(tenant_id=ask["tenant"], client_id=ask["client_id"], **options)


def _azure_pipelines(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import AzurePipelinesCredential  # noqa: PLC0415 - as `_WAYS`

    return AzurePipelinesCredential(
        tenant_id=ask["tenant"],
        client_id=ask["client_id"],
        service_connection_id=ask["service_connection_id"],
        system_access_token=os.environ[SECRET],
        **options,
    )


def _managed_identity(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - as `_WAYS`

    return ManagedIdentityCredential(client_id=ask.get("client_id"), **options)


def _default(ask: Ask, options: Mapping[str, Any]) -> "SupportsTokenInfo":
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - as `_WAYS`

    chosen = {"managed_identity_client_id": ask["client_id"]} if ask.get("client_id") else {}
    return DefaultAzureCredential(
        exclude_cli_credential=True,  # az has a way of its own, with a limit that its children obey
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
        **chosen,
        **options,
    )


_WAYS: Mapping[str, Callable[[Ask, Mapping[str, Any]], "SupportsTokenInfo"]] = {
    "client-secret": _client_secret,
    "client-certificate": _client_certificate,
    "assertion": _assertion,
    "workload-identity": _workload_identity,
    "azure-pipelines": _azure_pipelines,
    MACHINE: _managed_identity,
    "default": _default,
}
"""What each way signs in with. The SDK takes 0.2 s to load: not before there is something to ask."""


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        gc.freeze()  # Python ends with a search through all that is loaded, which takes a sixth of the run
