"""Signs in with google-auth and prints the token as JSON: the one file that loads that SDK.

Run by `provider.py` as a program: `FILE` is an application-default credentials file of any type, `metadata`
the machine's own identity; a second word names a service account to impersonate. Exit 1 with the SDK's own
words on stderr, for `google_errors.py` to read. It asks for no input and writes no file.
"""

import gc
import json
import sys
import warnings
from collections.abc import Sequence
from datetime import UTC
from typing import TypeVar

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""The one scope that Artifact Registry takes (cloud.google.com/artifact-registry/docs/access-control)."""

METADATA = "metadata"

_Request = TypeVar("_Request")


def main(arguments: Sequence[str]) -> int:
    """Sign in as the arguments say; returns the exit code."""
    # google-auth 2.62 warns of credentials files in general: this one is the user's own
    warnings.simplefilter("ignore")
    import truststore  # noqa: PLC0415 - 0.1 s

    truststore.inject_into_ssl()  # a company's authority is the system's, as for uv, pip and the daemon
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - 0.3 s

    try:
        answer = _signed_in(*arguments)
    except (GoogleAuthError, OSError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error} {error.args}\n")
        return 1
    sys.stdout.write(json.dumps(answer))
    return 0


def _signed_in(place: str, target: str | None = None) -> dict[str, object]:
    from google.auth import (  # noqa: PLC0415 - as above
        compute_engine,
        impersonated_credentials,
        load_credentials_from_file,
    )
    from google.auth.credentials import Credentials, with_scopes_if_required  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415
    from requests import Session  # noqa: PLC0415

    session = Session()
    session.auth = _as_it_is  # else a netrc entry of the host takes the place of the bearer
    session.max_redirects = 0  # the SDK would send the credentials again, to the host that the redirect names
    credentials: Credentials
    if place == METADATA:
        session.trust_env = False  # it is on this machine's own link: a proxy would ask for its own
        credentials = compute_engine.Credentials(scopes=[SCOPE])
    else:
        found, _ = load_credentials_from_file(place)  # with scopes it would ask for a project, too
        credentials = with_scopes_if_required(found, [SCOPE])
    request = Request(session)
    if target is not None:
        credentials = impersonated_credentials.Credentials(credentials, target, [SCOPE])
    credentials.refresh(request)
    expiry = credentials.expiry  # naive, in UTC
    return {
        "access_token": credentials.token,
        "token_expiry": None if expiry is None else expiry.replace(tzinfo=UTC).isoformat(),
        "account": getattr(credentials, "service_account_email", None)
        or getattr(credentials, "account", None)
        or None,
    }


def _as_it_is(request: _Request) -> _Request:
    return request


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        gc.freeze()  # Python ends with a search through all that is loaded, which takes a sixth of the run
