"""The package hosts of Azure DevOps: challenge, simple pages, downloads by GUID, uploads. Names are not
told to strangers: without a good credential, whatever is asked of an organisation is a 401.
Next: `session_tokens.py`, where a feed's challenge leads.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.fakes.faults import azure_error, forbidden, not_found, redirect
from tests.fakes.http1 import Answer, Headers, Request, Response
from tests.fakes.organisation import NO_TENANT, Feed, Identity, Organisation, Visit
from tests.fakes.simple_pages import project_page, projects_page
from tests.fakes.uploads import read_upload
from tests.fakes.wheels import Wheel, normalise

if TYPE_CHECKING:
    from tests.fakes.organisation import Credential

PACKAGE_HOST = "pkgs.dev.azure.com"
OLD_PACKAGE_HOSTS = ".pkgs.visualstudio.com"
BLOB_HOST = "fakes.blob.core.windows.net"
LOGIN_HOST = "login.microsoftonline.com"
AUTHORITY_HOST = "vssps.dev.azure.com"

_FEED_PATH = re.compile(r"/(?:(?P<project>[^/]+)/)?_packaging/(?P<feed>[^/]+)/pypi/(?P<rest>.*)")


@dataclass(frozen=True)
class _Caller:
    """What a request's Authorization header came to."""

    credential: Credential
    identity: Identity | None = None
    username: str | None = None
    password: str | None = None


def answer_feed(organisation: Organisation, request: Request, path: str) -> Answer:
    """The answer to a request whose path below the organisation is `path`; it is written to `visits`."""
    caller = _caller(organisation, request)
    answer = _answer(organisation, request, path, caller)
    organisation.visits.add(
        Visit(
            request.method,
            request.host,
            request.path,
            caller.credential,
            caller.identity.user if caller.identity else None,
            answer.status if isinstance(answer, Response) else None,
            caller.username,
            caller.password,
        )
    )
    return answer


def answer_blob(cloud_blobs: dict[str, bytes], request: Request) -> Answer:
    """The storage host that downloads lead to: it refuses a request that carries Authorization."""
    if request.header("authorization") is not None:
        return Response(400, b"InvalidAuthenticationInfo")
    content = cloud_blobs.get(request.query.get("sig", ""))
    return Response(403) if content is None else Response(200, content)


def documented_challenge(organisation: Organisation, request: Request) -> Headers:
    """The headers of a 401: several WWW-Authenticate values and the pointers to who issues tokens."""
    bearer = "Bearer"  # without a parameter where the organisation belongs to personal accounts
    if organisation.tenant != NO_TENANT:
        bearer = f"Bearer authorization_uri=https://{LOGIN_HOST}/{organisation.tenant}"
    return (
        ("WWW-Authenticate", bearer),
        ("WWW-Authenticate", f'Basic realm="https://{request.host}/"'),
        ("WWW-Authenticate", "TFS-Federated"),
        ("X-VSS-ResourceTenant", organisation.tenant),
        ("X-VSS-AuthorizationEndpoint", f"https://{AUTHORITY_HOST}/{organisation.name}/"),
        ("X-VSS-E2EID", str(uuid.uuid4())),
    )


def _caller(organisation: Organisation, request: Request) -> _Caller:
    if request.header("authorization") is None:
        return _Caller("none")
    username, password = request.basic or (None, request.bearer)
    identity = organisation.identify(password) if password else None
    return _Caller("accepted" if identity else "refused", identity, username, password)


def _answer(organisation: Organisation, request: Request, path: str, caller: _Caller) -> Answer:
    found = _FEED_PATH.fullmatch(path)
    feed = _find(organisation, found.group("project"), found.group("feed")) if found else None
    rest = found.group("rest") if found else ""
    public = feed is not None and feed.public and not rest.startswith("upload")
    if caller.identity is None and not public:
        return organisation.challenge_faults.stand_before(lambda: _challenge(organisation, request))
    if feed is None:
        return organisation.feed_faults.stand_before(not_found)
    return organisation.feed_faults.stand_before(
        lambda: _serve(organisation, feed, request, rest, caller.identity)
    )


def _serve(
    organisation: Organisation, feed: Feed, request: Request, rest: str, identity: Identity | None
) -> Response:
    if rest.strip("/") == "upload":
        return _upload(organisation, feed, request, identity)
    if identity is not None and not _may_read(organisation, identity):
        return forbidden()
    page = _read(organisation, feed, request, rest)
    return replace(page, headers=(*page.headers, ("X-VSS-E2EID", str(uuid.uuid4()))))


def _find(organisation: Organisation, project: str | None, name: str) -> Feed | None:
    return next((feed for feed in organisation.feeds if feed.answers_to(project, name)), None)


def _challenge(organisation: Organisation, request: Request) -> Response:
    headers = organisation.challenge
    if headers is None:
        headers = documented_challenge(organisation, request)
    wanted = organisation.claims_challenge() if request.header("authorization") is not None else ()
    body = azure_error(401, "TF400813: Resource not available for anonymous access.").body
    return Response(401, body, (*headers, *wanted))


def _may_read(organisation: Organisation, identity: Identity) -> bool:
    named = organisation.readers is None or identity.user in organisation.readers
    return named and identity.may_read()


def _may_write(organisation: Organisation, identity: Identity) -> bool:
    named = organisation.contributors is None or identity.user in organisation.contributors
    return named and identity.may_write()


def _read(organisation: Organisation, feed: Feed, request: Request, rest: str) -> Response:
    def link(wheel: Wheel) -> str:
        # GUIDs in place of names, outside the index root, on the host the client used
        below = f"/{organisation.name}" if request.host == PACKAGE_HOST else ""
        file = f"pypi/download/{wheel.project}/{wheel.version}/{wheel.filename}"
        return f"https://{request.host}{below}/{feed.guid_path}/{file}"

    match [part for part in rest.split("/") if part]:
        case ["simple"]:
            return projects_page(feed.wheels)
        case ["simple", project]:
            return project_page(normalise(project), feed.wheels, link) or not_found()
        case ["download", _, _, filename]:
            return _download(organisation, feed, filename)
        case _:
            return not_found()


def _download(organisation: Organisation, feed: Feed, filename: str) -> Response:
    for wheel in feed.wheels:
        if wheel.filename == filename:
            if organisation.blobs:
                return redirect(f"https://{BLOB_HOST}/{wheel.filename}?sig={wheel.sha256}", 303)
            return Response(200, wheel.content, (("Content-Type", "application/octet-stream"),))
    return not_found()


def _upload(organisation: Organisation, feed: Feed, request: Request, identity: Identity | None) -> Response:
    if identity is None or not _may_write(organisation, identity):
        return forbidden()
    if request.method != "POST":
        return Response(405)
    uploaded = read_upload(request)
    if uploaded is None:
        return azure_error(400, "The digest does not match the content.")
    if any(wheel.filename == uploaded.filename for wheel in feed.wheels):
        return azure_error(409, f"The feed '{feed.name}' already contains file '{uploaded.filename}'.")
    feed.wheels.append(uploaded)
    return Response(202)
