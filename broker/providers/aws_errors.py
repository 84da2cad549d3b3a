"""What a failed AWS sign-in means, read from the words of boto3 or the AWS CLI, which no user sees.

Reads no file but to see whether pip is here. Both print the same: texts of botocore 1.38 to 1.44
(`exceptions.py`) and awscli 1.45, error codes of the AWS APIs ("Common errors" of CodeArtifact, STS and the
IAM Identity Center portal). An outage is looked for before a missing sign-in: asking a person to sign in
would not cure it.
"""

import re
import shlex
from typing import NamedTuple

from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.host.installation import line_that_installs
from broker.providers.sdk_words import named

_CODE = re.compile(r"An error occurred \(([A-Za-z.]+)\) when calling the ([A-Za-z]+) operation")

_OUTAGES = (
    ("SSL validation failed", "does not trust the certificate it is shown: is a CA missing in [env]?"),
    ("Failed to connect to proxy", "cannot get through the proxy"),
    ("Could not connect to the endpoint URL", "cannot reach AWS"),
    ("Connect timeout on endpoint URL", "cannot reach AWS"),
    ("Connection was closed before", "lost the connection to AWS"),
    ("Read timeout on endpoint URL", "got no answer from AWS"),
    ("custom-process", "got nothing from the profile's credential_process"),
)


class _Absence(NamedTuple):
    """A sign-in that a person has to give: what is said of it, and the command that does."""

    what: str
    command: str


_SSO = _Absence("the AWS SSO session has expired", "aws sso login")
_LOGIN = _Absence("the AWS sign-in has expired", "aws login")
_PROFILE = _Absence("AWS has no such profile", "aws configure sso")
_FACTOR = _Absence("AWS wants a second factor, which a daemon cannot give: use SSO", "aws configure sso")
_KEY = _Absence("AWS does not know the access key", "aws configure")
_EXPIRED = _Absence("the AWS credentials have expired", "aws sso login")

_PERSON = (
    ("Error when retrieving token from sso", _SSO),
    ("SSO session associated with this profile", _SSO),
    ("SSOTokenLoadError", _SSO),
    ("UnauthorizedSSOTokenError", _SSO),
    ("(UnauthorizedException) when calling the GetRoleCredentials", _SSO),
    ("LoginRefreshRequired", _LOGIN),
    ("LoginTokenLoadError", _LOGIN),
    ("The config profile", _PROFILE),
    ("EOFError", _FACTOR),
    ("Enter MFA code", _FACTOR),
    ("RefreshWithMFAUnsupported", _FACTOR),
    ("(ExpiredToken)", _EXPIRED),
    ("(ExpiredTokenException)", _EXPIRED),
    ("(UnrecognizedClientException)", _KEY),
    ("(InvalidClientTokenId)", _KEY),
)

_SIGNED_OUT = ("Unable to locate credentials", "NoCredentialsError")

_TELLS = frozenset(
    {
        *("NoRegionError", "InvalidRegionError", "ConfigNotFound", "ConfigParseError", "InvalidConfigError"),
        *(
            "PartialCredentialsError",
            "UnknownCredentialError",
            "InfiniteLoopConfigError",
            "DataNotFoundError",
        ),
        *(
            "MissingDependencyException",
            "UnknownServiceError",
            "EndpointResolutionError",
            "MetadataRetrievalError",
        ),
    }
)
"""Exceptions of botocore 1.38 to 1.44 whose text is its own, with names and paths of the configuration."""

_NO_CRT = "botocore[crt]"
"""What `aws login` sessions need beside boto3 (aws-cli#9949)."""

_FOR_NOW = frozenset(
    {
        *("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"),
        *("InternalServerException", "InternalFailure", "InternalError", "ServiceUnavailable"),
        *("ServiceUnavailableException", "IDPCommunicationError", "ConflictException"),
    }
)

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "ForbiddenException"})

_DOING = {
    "AssumeRole": "assume the role (sts:AssumeRole)",
    "AssumeRoleWithWebIdentity": "assume the role with its web identity (sts:AssumeRoleWithWebIdentity)",
    "GetRoleCredentials": "take this role in IAM Identity Center",
    "GetAuthorizationToken": (
        "get a token for this domain (codeartifact:GetAuthorizationToken, sts:GetServiceBearerToken)"
    ),
}

_WRONG = {
    "ResourceNotFoundException": "AWS has no such CodeArtifact domain in this region",
    "SignatureDoesNotMatch": "AWS does not accept the signature: the secret key is wrong",
    "InvalidSignatureException": "AWS does not accept the signature: a wrong key, or this machine's clock",
    "RequestExpired": "AWS does not accept the signature: this machine's clock is wrong",
}


def failure_of(  # noqa: PLR0911 - a table in the order of certainty
    way: str, words: str, profile: str | None, repeat: str | None = None
) -> NotObtained:
    """The failure that `words`, the complaint of a way to sign in, stands for.

    `repeat` is the command that failed, for one whose words are not known; an SDK has none.
    """
    for symptom, what in _OUTAGES:
        if symptom in words:
            return Unavailable(f"{way} {what}")
    if _NO_CRT in words:
        hint = "pip install 'botocore[crt]'" if way == "aws" else line_that_installs("'botocore[crt]'")
        return Refused(f"{way} lacks awscrt, which the sign-in of `aws login` needs", hint=hint)
    chosen = f" --profile {shlex.quote(profile)}" if profile else ""
    for symptom, absence in _PERSON:
        if symptom in words:
            return SignInNeeded(absence.what, hint=absence.command + chosen)
    if any(symptom in words for symptom in _SIGNED_OUT):
        hint = f"aws sso login{chosen}"
        return NoSource("nobody is signed in to AWS on this machine", hint=hint, drops_token=True)
    found = _CODE.search(words)
    if found is not None:
        return _refused_by_aws(way, found[1], found[2])
    if repeat is not None:
        return Unavailable(f"{way} failed with words that are not known", hint=repeat)
    return Unavailable(named(way, words, _TELLS))


def _refused_by_aws(way: str, code: str, operation: str) -> NotObtained:
    if code in _FOR_NOW:
        return Unavailable(f"AWS refuses for now ({code})")
    if code in _DENIED:
        return Refused(f"{way} may not {_DOING.get(operation, operation)}")
    return Refused(_WRONG.get(code, f"AWS refuses {operation} ({code})"))
