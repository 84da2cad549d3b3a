"""A package registry that asks somebody else who may read: the feed behind a fake cloud's tokens, with its
files where that cloud keeps them. Attach it to a `ConnectProxy` under any host name.
Next: `index.py`, which keeps its own passwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.http1 import Answer, Request, Response
from tests.fakes.journal import Journal
from tests.fakes.simple_pages import project_page, projects_page
from tests.fakes.uploads import read_upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.fakes.wheels import Wheel


class Registry:
    """A service: pages below `root`, files below `files` of the same host. `opens` says whether a username
    and password may read and write, wrong ones are refused; `public` are the wheels that are seen without
    any. What is posted to `upload`, with or without its last slash, is taken in.
    """

    def __init__(
        self,
        wheels: Iterable[Wheel],
        *,
        root: str,
        files: str,
        opens: Callable[[str, str], bool],
        public: Iterable[Wheel] = (),
        upload: str | None = None,
    ) -> None:
        self.wheels = list(wheels)
        self.public = list(public)
        self.requests: Journal[tuple[str, str | None]] = Journal()
        self._root = root
        self._files = files
        self._opens = opens
        self._upload = upload

    def __call__(self, request: Request) -> Answer:
        pair = request.basic
        self.requests.add((request.path, pair[0] if pair else None))
        is_open = pair is not None and self._opens(*pair)
        is_public = pair is None and bool(self.public) and request.method != "POST"
        if not is_open and not is_public:
            return Response(401, headers=(("WWW-Authenticate", 'Basic realm="packages"'),))
        if request.method == "POST":
            return self._take(request)
        return self._page(request.path, self.wheels if is_open else self.public) or Response(404)

    def _take(self, request: Request) -> Response:
        if self._upload is None or request.path.rstrip("/") != self._upload.rstrip("/"):
            return Response(405)
        uploaded = read_upload(request)
        if uploaded is None:
            return Response(400)
        self.wheels.append(uploaded)
        return Response(200)

    def _page(self, path: str, visible: list[Wheel]) -> Response | None:
        name = path.rpartition("/")[2]
        for one in visible:
            if path.startswith(self._files) and one.filename == name:
                return Response(200, one.content)
        if not path.startswith(self._root):
            return None
        project = path.removeprefix(self._root).strip("/")
        if not project:
            return projects_page(visible)
        return project_page(project, visible, lambda one: f"{self._files}{one.project}/{one.filename}")
