"""A GitLab with its package registry: feeds of groups and projects whose file links carry the project's
number, personal, deploy and job tokens, and the API that tells when a token ends. Attach it to a
`ConnectProxy` under any host name. Next: `index.py`, a registry without all that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal
from tests.fakes.simple_pages import project_page, projects_page
from tests.fakes.uploads import read_upload
from tests.fakes.wheels import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.wheels import Wheel

GROUP = "acme"
GROUP_NUMBER = "1234567"
PROJECT_NUMBER = "42"
_SIMPLE = re.compile(
    r"/api/v4/(?:groups/(?P<group>[^/]+)/-|projects/(?P<project>[^/]+))/packages/pypi/simple(?:/(?P<name>[^/]+))?/?"
)
_UPLOAD = re.compile(r"/api/v4/projects/(?P<project>[^/]+)/packages/pypi/?")
_FILE = re.compile(
    r"/api/v4/projects/(?P<project>[^/]+)/packages/pypi/files/(?P<digest>[0-9a-f]+)/(?P<file>[^/]+)"
)


@dataclass(frozen=True)
class Token:
    """A token: the username that must come with it (None: any does), and what the API says of it.

    `opens`: the groups and projects it is for, by number; None opens all. `writes`: it may publish, too.
    """

    username: str | None = None
    name: str = "packages"
    expires_at: str | None = None
    active: bool = True
    opens: frozenset[str] | None = None
    writes: bool = False


class GitLab:
    """A service. One group with one project; `tokens` may be changed while it runs."""

    def __init__(self, wheels: Iterable[Wheel] = ()) -> None:
        self.wheels = list(wheels)
        self.tokens: dict[str, Token] = {}
        self.requests: Journal[Request] = Journal()
        self.api_faults = Faults()
        self.more_projects = 0

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        if request.path == "/api/v4/personal_access_tokens/self":
            return self.api_faults.stand_before(lambda: self._told(request))
        if request.path in {f"/api/v4/groups/{GROUP}", f"/api/v4/groups/{GROUP_NUMBER}"}:
            return self.api_faults.stand_before(lambda: self._group(request))
        if request.path == f"/api/v4/groups/{GROUP}/projects":
            return self.api_faults.stand_before(lambda: self._projects(request))
        return self._packages(request)

    def _told(self, request: Request) -> Response:
        token = self.tokens.get(request.header("private-token") or "")
        if token is None or token.username is not None or not token.active:
            return json_response(401, {"message": "401 Unauthorized"})
        told = {"id": 1, "name": token.name, "revoked": False, "scopes": ["read_api"], "active": True}
        return json_response(200, {**told, "expires_at": token.expires_at})

    def _group(self, request: Request) -> Response:
        if (request.header("private-token") or "") not in self.tokens:
            return json_response(401, {"message": "401 Unauthorized"})
        return json_response(200, {"id": int(GROUP_NUMBER), "path": GROUP, "full_path": GROUP})

    def _projects(self, request: Request) -> Response:
        if (request.header("private-token") or "") not in self.tokens:
            return json_response(401, {"message": "401 Unauthorized"})
        page = int(request.query["page"]) - 1
        numbers = [int(PROJECT_NUMBER), *range(1000, 1000 + self.more_projects)][
            page * 100 : page * 100 + 100
        ]
        return json_response(200, [{"id": number, "path_with_namespace": "acme/x"} for number in numbers])

    def _packages(self, request: Request) -> Response:
        simple, file = _SIMPLE.fullmatch(request.path), _FILE.fullmatch(request.path)
        upload = _UPLOAD.fullmatch(request.path) if request.method == "POST" else None
        in_project = file or upload
        place = (simple and (simple["group"] or simple["project"])) or (in_project and in_project["project"])
        if place is None or place not in {GROUP, GROUP_NUMBER, PROJECT_NUMBER}:
            return Response(404)
        if not self._opens(request, GROUP_NUMBER if place == GROUP else place):
            # the real one asks for Basic credentials only on this API
            return Response(401, b"", (("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"'),))
        if upload is not None:
            return self._take(request)
        if file is not None:
            found = (one.content for one in self.wheels if one.filename == file["file"])
            content = next(found, None)
            return Response(404) if content is None else Response(200, content)
        if simple is None or simple["name"] is None:
            return projects_page(self.wheels)
        links = f"https://{request.host}/api/v4/projects/{PROJECT_NUMBER}/packages/pypi/files"
        page = project_page(
            normalise(simple["name"]), self.wheels, lambda one: f"{links}/{one.sha256}/{one.filename}"
        )
        return page or Response(404)

    def _take(self, request: Request) -> Response:
        if not self.tokens[(request.basic or ("", ""))[1]].writes:
            return json_response(403, {"message": "403 Forbidden"})
        uploaded = read_upload(request)
        if uploaded is None:
            return json_response(400, {"error": "sha256_digest is invalid"})
        self.wheels.append(uploaded)
        return json_response(201, {"message": "201 Created"})

    def _opens(self, request: Request, number: str) -> bool:
        username, password = request.basic or ("", "")
        token = self.tokens.get(password)
        if token is None or not token.active or token.username not in {None, username}:
            return False
        return token.opens is None or number in token.opens
