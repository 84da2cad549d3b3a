"""What a failed `az account get-access-token` means, read from its stderr, which is never shown to a user.

No I/O. The words are those of azure-cli (core/_profile.py) and of the requests library beneath it; Entra's
numbers are read by `entra_errors.py`. An outage is looked for before a missing sign-in, since az may name
both: a token is dropped only when az itself says that it is signed out.
"""

import re

from broker.core.failures import NotObtained, SignInNeeded, Unavailable
from broker.providers.azure.entra_errors import CODE, failure_of_person
from broker.providers.azure.identities import RESOURCE, login_line

_CODE_IN_JSON = re.compile(r'"error_codes"\s*:\s*\[\s*([0-9]{4,9})')

_OUTAGES = (
    ("CERTIFICATE_VERIFY_FAILED", "az does not trust the certificate it is shown: is a CA missing in [env]?"),
    ("SSLError", "az cannot agree on TLS with its sign-in service"),
    ("ProxyError", "az cannot get through the proxy"),
    ("Max retries exceeded", "az cannot reach its sign-in service"),
    ("Failed to establish a new connection", "az cannot reach its sign-in service"),
    ("Connection aborted", "az lost the connection to its sign-in service"),
    ("ConnectionError", "az cannot reach its sign-in service"),
    ("Read timed out", "az got no answer from its sign-in service"),
    ("temporarily_unavailable", "Entra is unavailable for now"),
)

_SIGNED_OUT = "Please run 'az login' to setup account"


def failure_of(stderr: str, code: int, tenant: str) -> NotObtained:
    """The failure that az's words and exit code stand for, with the command that cures it."""
    found = CODE.search(stderr) or _CODE_IN_JSON.search(stderr)
    if found is not None:
        return failure_of_person(found[1], login_line(tenant))
    for symptom, detail in _OUTAGES:
        if symptom in stderr:
            return Unavailable(detail)
    if _SIGNED_OUT in stderr:
        return SignInNeeded("az is signed out", hint=login_line(tenant), drops_token=True)
    if "az login" in stderr or "az account set" in stderr or "invalid_grant" in stderr:
        return SignInNeeded("az has no sign-in for this tenant", hint=login_line(tenant))
    return Unavailable(
        f"az ended with exit code {code}",
        hint=f"az account get-access-token --resource {RESOURCE} --query expiresOn",  # prints no token
    )
