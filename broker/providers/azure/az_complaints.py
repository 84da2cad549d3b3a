"""What a failed `az account get-access-token` means, read from its stderr, which is shown to nobody.

No I/O. The words are those of azure-cli (core/_profile.py) and of the requests library beneath it, the codes
those of Microsoft's "AADSTS error codes" reference. An outage is looked for before a missing sign-in, since
az may name both: only its own word that nobody is signed in drops a token.
"""

import re

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.providers.azure.identities import RESOURCE, login_line

_CODE = re.compile(r"\bAADSTS([0-9]{4,9})\b")
_CODE_IN_JSON = re.compile(r'"error_codes"\s*:\s*\[\s*([0-9]{4,9})')

_PERSON = {
    "70008": "the sign-in has expired",
    "70043": "the sign-in has expired, as the tenant's sign-in frequency wants it",
    "700082": "the sign-in has expired after 90 days without use",
    "700084": "the sign-in has expired after its longest life",
    "50173": "the sign-in was revoked, by a changed password for example",
    "50078": "the second factor has expired",
    "50076": "a second factor is asked for",
    "50079": "a second factor must be set up",
    "50074": "a second factor is asked for",
    "50055": "the password has expired",
    "50057": "the account is disabled",
    "50020": "the signed-in account is not in this tenant",
    "50097": "the tenant wants a known device",
    "53000": "the tenant wants a compliant device",
    "53001": "the tenant wants a joined device",
    "53002": "the tenant does not approve of this application",
    "53003": "the tenant's conditional access forbids it",
    "530003": "the tenant wants a managed device",
    "65001": "nobody has consented to this application in the tenant",
}

_FOR_THIS_RESOURCE = frozenset({"50074", "50076", "50078", "50079", "65001"})
"""Asked of this resource alone: a sign-in that does not name it would not be asked, and change nothing."""

_GONE = frozenset({"50173", "50057"})
"""The account was locked out on purpose: its older tokens are not handed out any longer."""

_APP_SECRET = {
    "7000215": "the service principal's secret is wrong",
    "7000222": "the service principal's secret has expired",
}

_WRONG = {
    "90002": "the tenant does not exist",
    "700016": "the tenant does not know the application",
    "500011": "the tenant does not know Azure DevOps",
}

_FOR_NOW = frozenset({"90033", "90024", "50196", "90006"})
"""Entra's own troubles, and its request not to be asked in a loop."""

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
    found = _CODE.search(stderr) or _CODE_IN_JSON.search(stderr)
    if found is not None:
        return _refused_by_entra(found[1], tenant)
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


def _refused_by_entra(code: str, tenant: str) -> NotObtained:
    """An unknown code is a sign-in with its number: to ask again by ourselves cures none of them."""
    if code in _FOR_NOW:
        return Unavailable(f"Entra cannot sign in for now (AADSTS{code})")
    if code in _WRONG:
        return Refused(f"{_WRONG[code]} (AADSTS{code})")
    if code in _APP_SECRET:
        line = login_line(tenant, "--service-principal", "--username", "APP_ID")
        return SignInNeeded(f"{_APP_SECRET[code]} (AADSTS{code})", hint=line)
    more = ("--scope", f"{RESOURCE}/.default") if code in _FOR_THIS_RESOURCE else ()
    return SignInNeeded(
        f"{_PERSON.get(code, 'Entra wants a new sign-in')} (AADSTS{code})",
        hint=login_line(tenant, *more),
        drops_token=code in _GONE,
    )
