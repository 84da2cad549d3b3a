"""A package index that demands Basic credentials and counts who came with them: the fake behind
`basic` and `command` feeds. Attach it to a `ConnectProxy` under a host name, or to a `WebServer`.
Next: `azure_devops.py`, the feed with a cloud around it.
"""

from __future__ import annotations

import enum
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from tests.fakes.http1 import Answer, Request, Response
from tests.fakes.journal import Journal
from tests.fakes.simple_pages import JSON_TYPE, project_page, projects_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.wheels import Wheel


class Layout(enum.Enum):
    """Where an index keeps its files."""

    UNDER_ROOT = "below the index's own URL"
    ELSEWHERE = "on the same host, under ids in place of names"


class PackageIndex:
    """A service: `https://HOST/ROOT/` lists projects. `passwords` holds those valid at this moment; any
    username goes with them unless `username` is set. `public` serves everybody.
    """

    def __init__(
        self,
        wheels: Iterable[Wheel],
        *,
        passwords: Iterable[str] = (),
        username: str | None = None,
        root: str = "/simple/",
        layout: Layout = Layout.UNDER_ROOT,
        public: bool = False,
    ) -> None:
        self.wheels = list(wheels)
        self.passwords = set(passwords)
        self.username = username
        self.public = public
        self.requests: Journal[tuple[str, bool]] = Journal()
        self._root = root
        self._files = f"{root}-/files/" if layout is Layout.UNDER_ROOT else _files_elsewhere(root)

    @property
    def counts(self) -> Counter[tuple[str, bool]]:
        """How often each (path, whether authorised) was asked."""
        return Counter(self.requests)

    def __call__(self, request: Request) -> Answer:
        authorised = self.public or self._accepts(request)
        self.requests.add((request.path, authorised))
        if not authorised:
            return Response(401, headers=(("WWW-Authenticate", 'Basic realm="packages"'),))
        if request.method not in {"GET", "HEAD"}:
            return Response(405)
        return self._page(request) or Response(404)

    def _accepts(self, request: Request) -> bool:
        if request.basic is None:
            return False
        username, password = request.basic
        return password in self.passwords and self.username in {None, username}

    def _page(self, request: Request) -> Response | None:
        as_json = JSON_TYPE in (request.header("accept") or "")
        path = request.path
        if path.startswith(self._files):
            filename = path.removeprefix(self._files)
            return next((Response(200, one.content) for one in self.wheels if one.filename == filename), None)
        if not path.startswith(self._root):
            return None
        project = path.removeprefix(self._root).strip("/")
        if not project:
            return projects_page(self.wheels, as_json=as_json)
        return project_page(project, self.wheels, lambda one: f"{self._files}{one.filename}", as_json=as_json)


def _files_elsewhere(root: str) -> str:
    return f"/{uuid.uuid5(uuid.NAMESPACE_URL, root)}/files/"
