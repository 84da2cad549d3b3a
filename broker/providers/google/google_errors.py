"""What a failed Google sign-in means, read from the words of google-auth or gcloud, which are never shown.

No I/O. Texts of google-auth 2.40 to 2.62 and of gcloud's `core/credentials`; error codes of RFC 6749 section
5.2 and of Google's "OAuth 2.0 error codes". An outage is looked for before a missing sign-in: asking a person
to sign in would not cure it.
"""

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.providers.sdk_words import named

_OUTAGES = (
    ("CERTIFICATE_VERIFY_FAILED", "does not trust the certificate it is shown: is a CA missing in [env]?"),
    ("ProxyError", "cannot get through the proxy"),
    ("Tunnel connection failed", "cannot get through the proxy"),
    ("Max retries exceeded", "cannot reach Google's sign-in service"),
    ("Failed to establish a new connection", "cannot reach Google's sign-in service"),
    ("Connection aborted", "lost the connection to Google's sign-in service"),
    ("Exceeded 0 redirects", "was led elsewhere instead of being answered: does the network want a sign-in?"),
    ("Unable to find the server", "cannot reach Google's sign-in service"),
    ("Read timed out", "got no answer from Google's sign-in service"),
    ("Failed to retrieve http://", "got no token from the metadata server"),
    ("internal_failure", "was told that Google's sign-in service has a fault"),
    ("temporarily_unavailable", "was told that Google's sign-in service is unavailable for now"),
    ("rateLimitExceeded", "was told to ask less often"),
    ("RESOURCE_EXHAUSTED", "was told to ask less often"),
)

_SIGNED_OUT = (
    "do not currently have an active account selected",
    "does not have any valid credentials",
)
"""gcloud says that no account is signed in: a token that is held is dropped."""

_REFUSALS = (
    ("Invalid JWT Signature", "the service account's key was deleted or is not its own"),
    ("account not found", "the service account does not exist any more"),
    ("reasonable timeframe", "this machine's clock is wrong by minutes"),
    ("IAM_PERMISSION_DENIED", "it may not impersonate the service account"),
    ("PERMISSION_DENIED", "it may not impersonate the service account"),
    ("deleted_client", "the OAuth client it signed in with was deleted"),
    ("invalid_target", "the workload identity pool does not exist, or is disabled"),
    ("unauthorized_client", "the client is not allowed to sign in so"),
    ("invalid_scope", "it was not granted the cloud-platform scope"),
    ("not a valid json file", "its file is not JSON"),
    ("does not have a valid type", "its file is not a credentials file"),
    ("MalformedError", "its file lacks what a credentials file has"),
)

_PERSON = (
    ("invalid_rapt", "the organisation wants a new sign-in (session control)"),
    ("rapt_required", "the organisation wants a new sign-in (session control)"),
    ("Reauthentication", "the organisation wants a new sign-in (session control)"),
    ("expired or revoked", "the sign-in has expired or was revoked"),
    ("invalid_grant", "the sign-in is not valid any more"),
    ("gcloud auth login", "the sign-in is not valid any more"),
)


_TELLS = frozenset({"DefaultCredentialsError", "MutualTLSChannelError", "InvalidResource", "InvalidValue"})
"""Exceptions of google-auth 2.62 whose text is its own; a RefreshError quotes what the service answered."""


def failure_of(way: str, words: str, login: str | None, repeat: str | None = None) -> NotObtained:
    """The failure that `words`, the complaint of a way to sign in, stands for; `login` is what renews it.

    `repeat` is the command that failed, for one whose words are not known; an SDK has none.
    """
    for symptom, what in _OUTAGES:
        if symptom in words:
            return Unavailable(f"{way} {what}")
    if any(symptom in words for symptom in _SIGNED_OUT):
        return SignInNeeded(f"{way} is signed out", hint=login, drops_token=True)
    for symptom, what in _REFUSALS:
        if symptom in words:
            return Refused(f"{way} cannot sign in: {what}")
    for symptom, what in _PERSON:
        if symptom in words:
            return SignInNeeded(f"{way} cannot sign in: {what}", hint=login)
    if repeat is not None:
        return Unavailable(f"{way} failed with words that are not known", hint=repeat)
    return Unavailable(named(way, words, _TELLS))
