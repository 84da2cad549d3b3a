"""What a failed `az account get-access-token` means, read from its stderr, which is never shown to a user.

No I/O. The words are those of azure-cli (core/_profile.py) and of the requests library beneath it; Entra's
numbers are read by `entra_errors.py`. An outage is looked for before a missing sign-in, since az may name
both: a token is dropped only when az itself says that it is signed out.
"""

import re
import shlex

from broker.core.failures import NotObtained, SignInNeeded, Unavailable
from broker.providers.azure.challenge import ORGANISATIONS
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

_NO_TENANT = re.compile(r"Tenant shouldn't be specified for (managed identity|Cloud Shell) account")
"""azure-cli#26775; az since 2.77 takes the account's own tenant (azure-cli#31869)."""

_OTHER_TENANT = re.compile(r"specified tenant must be the current tenant ([0-9A-Za-z.-]+)")
"""az 2.91 of the same accounts, where the tenant is another."""

_CACHE = ("token_cache.py", "msal_extensions", "msal_token_cache")
_DAMAGED = ("JSONDecodeError", "UnicodeDecodeError", "Extra data:", "Expecting ", "DecryptionError")
"""A traceback that goes through the token cache, and what Python says of a file that is not whole
(azure-cli#20749, #21848, #23155, #29996). `az account clear` reads the file first, too, and fails in the same
way (azure-cli#26312): it has to go.
"""

CACHE_FILE = "msal_token_cache.json"

REPEATED = ("--query", "expiresOn")
"""What the repeated command prints in place of the token."""


def token_argv(tenant: str) -> tuple[str, ...]:
    """How az is asked for a token; for ORGANISATIONS without a tenant."""
    chosen = () if tenant == ORGANISATIONS else ("--tenant", tenant)
    return ("az", "account", "get-access-token", "--resource", RESOURCE, *chosen, "--output", "json")


def wants_no_tenant(stderr: str) -> bool:
    """True when az is signed in as an identity that has one tenant only, and wants none named."""
    return _NO_TENANT.search(stderr) is not None


def repeated(tenant: str, chosen: str) -> str:
    """The line that asks az the same and shows no token; `chosen` goes before `az`."""
    return f"{chosen}{shlex.join((*token_argv(tenant), *REPEATED))}"


def failure_of(  # noqa: PLR0911 - a table in the order of certainty
    stderr: str, code: int, tenant: str, *, chosen: str = "", folder: str = "~/.azure"
) -> NotObtained:
    """The failure that az's words and exit code stand for, with the command that cures it.

    `folder` is where az keeps the sign-in, and `chosen` what goes before `az` for a folder of an account.
    """
    login = f"{chosen}{login_line(tenant)}"
    found = CODE.search(stderr) or _CODE_IN_JSON.search(stderr)
    if found is not None:
        return failure_of_person(found[1], login)
    for symptom, detail in _OUTAGES:
        if symptom in stderr:
            return Unavailable(detail)
    if _SIGNED_OUT in stderr:
        return SignInNeeded("az is signed out", hint=login, drops_token=True)
    other = _OTHER_TENANT.search(stderr)
    if other is not None:
        signed = other[1].rstrip(".")
        return SignInNeeded(
            f"az is signed in as a machine's identity of {signed}, and the organisation is of tenant "
            f"{tenant}",
            hint=login,
        )
    if any(part in stderr for part in _CACHE) and any(word in stderr for word in _DAMAGED):
        return SignInNeeded(
            "az cannot read its token cache, which is damaged", hint=f"rm -f {folder}/{CACHE_FILE} && {login}"
        )
    if "az login" in stderr or "az account set" in stderr or "invalid_grant" in stderr:
        return SignInNeeded("az has no sign-in for this tenant", hint=login)
    return Unavailable(f"az ended with exit code {code}", hint=repeated(tenant, chosen))
