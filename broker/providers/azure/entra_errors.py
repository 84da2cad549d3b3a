"""Entra's refusals by their number: what each means for a person's sign-in, and for an application's.

No I/O. The codes are those of Microsoft's "AADSTS error codes" reference. A number that stands in no table is
a sign-in with its number: to ask again by ourselves cures none of them.
"""

import re
from typing import NamedTuple

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.providers.azure.identities import RESOURCE

CODE = re.compile(r"\bAADSTS([0-9]{4,9})\b")
"""How the number stands in every text that quotes it."""

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
    "53004": "the account must first register for a second factor",
    "530003": "the tenant wants a managed device",
    "65001": "nobody has consented to this application in the tenant",
}

_POLICIES = frozenset({"50097", "53000", "53001", "53002", "53003", "53004", "530003"})
"""Since September 2025 policies name Azure DevOps itself: az may serve Azure and fail here (Microsoft's
"Conditional Access and Azure DevOps").
"""

_FOR_THIS_RESOURCE = frozenset({"50074", "50076", "50078", "50079", "65001"}) | _POLICIES
"""Asked of this resource alone: a sign-in that does not name it would not be asked, and change nothing."""

_GONE = frozenset({"50173", "50057"})
"""The account was locked out on purpose: its older tokens are not handed out any longer."""

_APP_SECRET = frozenset({"7000215", "7000222"})
_APP_CERTIFICATE = "700027"
_APP_TRUST = frozenset({"70021", "700211", "700212", "700213"})
"""What the application has no federated credential for: no sign-in cures it, a person at Entra does."""

_ASSERTION = "700024"
_DISABLED = "7000112"

_APP = {
    "7000215": "the client secret is wrong",
    "7000222": "the client secret has expired",
    "700027": "the certificate is not the application's",
    "700024": "the assertion has expired: is this machine's clock right?",
    "7000112": "the application is disabled",
    "70021": "no federated credential of the application matches this job",
    "700211": "no federated credential of the application names this issuer",
    "700212": "no federated credential of the application names this audience",
    "700213": "no federated credential of the application names this subject",
    "53003": "the tenant's conditional access forbids it",
    "65001": "nobody has consented to this application in the tenant",
}

_WRONG = {
    "90002": "the tenant does not exist",
    "700016": "the tenant does not know the application",
    "500011": "the tenant does not know Azure DevOps",
}

_FOR_NOW = frozenset({"90033", "90024", "50196", "90006"})
"""Entra's own troubles, and its request not to be asked in a loop."""


class AsApplication(NamedTuple):
    """The options of a vendor's login command that sign an application in, by its proof:
    a secret that is asked for on the terminal, a certificate, the token of a job or cluster.
    """

    prompted: str = "--service-principal --username APP_ID"
    certificate: str = "--service-principal --username APP_ID --certificate PEM_FILE"
    federated: str = (
        '--service-principal --username APP_ID --federated-token "$(cat "$AZURE_FEDERATED_TOKEN_FILE")"'
    )


AZ = AsApplication()


def failure_of_person(code: str, login: str, options: AsApplication = AZ) -> NotObtained:
    """What the number means for a sign-in that a vendor's tool keeps: a person's, or an application's.

    `login` is the command that makes a new one, with `options` after it that of an application.
    """
    return _of_anybody(code) or _of_kept_application(code, login, options) or _of_person(code, login)


def _of_kept_application(code: str, login: str, options: AsApplication) -> NotObtained | None:
    told = f"the service principal: {_APP.get(code)} (AADSTS{code})"
    if code in _APP_SECRET:
        return SignInNeeded(told, hint=f"{login} {options.prompted}")
    if code == _APP_CERTIFICATE:
        return SignInNeeded(told, hint=f"{login} {options.certificate}")
    if code in _APP_TRUST:
        return Refused(told, hint="az ad app federated-credential list --id APP_ID")
    if code == _ASSERTION:
        told = f"the service principal: the federated token it signed in with has expired (AADSTS{code})"
        return SignInNeeded(told, hint=f"{login} {options.federated}")
    return Refused(told) if code == _DISABLED else None


def _of_person(code: str, login: str) -> NotObtained:
    what = _PERSON.get(code, "Entra wants a new sign-in")
    if code in _POLICIES:
        what += f" for Azure DevOps ({RESOURCE[:8]}), whatever az may do elsewhere"
    more = f" --scope {RESOURCE}/.default" if code in _FOR_THIS_RESOURCE else ""
    return SignInNeeded(
        f"{what} (AADSTS{code})",
        hint=f"{login}{more}",
        drops_token=code in _GONE,
    )


def failure_of_app(code: str, way: str, cure: str | None) -> NotObtained:
    """What the number means for an application that signs in by `way`; `cure` is what a person types."""
    common = _of_anybody(code)
    if common is not None:
        return common
    if code == _ASSERTION and way == "workload-identity":  # its file is written anew by itself, outside of CI
        return Unavailable(
            f"{way}: the token in AZURE_FEDERATED_TOKEN_FILE has expired: is the file still renewed, and "
            f"this machine's clock right? (AADSTS{code})"
        )
    if code in _APP:
        return Refused(f"{way}: {_APP[code]} (AADSTS{code})", hint=cure)
    return SignInNeeded(f"{way}: Entra does not let it sign in (AADSTS{code})", hint=cure)


def _of_anybody(code: str) -> NotObtained | None:
    if code in _FOR_NOW:
        return Unavailable(f"Entra cannot sign in for now (AADSTS{code})")
    if code in _WRONG:
        return Refused(f"{_WRONG[code]} (AADSTS{code})")
    return None
