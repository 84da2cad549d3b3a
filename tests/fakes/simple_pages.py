"""The pages of a simple index (PEP 503 HTML, PEP 691 JSON), rendered from wheels and nothing else.
Next: `index.py` and `feed_service.py`, which serve them.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

from tests.fakes.http1 import Response, html_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.fakes.wheels import Wheel

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def projects_page(wheels: Iterable[Wheel], *, as_json: bool = False) -> Response:
    """The list of projects."""
    names = sorted({wheel.project for wheel in wheels})
    if as_json:
        return _json({"meta": {"api-version": "1.0"}, "projects": [{"name": name} for name in names]})
    return _page("Simple index", [f'<a href="{name}/">{name}</a>' for name in names])


def project_page(
    project: str, wheels: Iterable[Wheel], link: Callable[[Wheel], str], *, as_json: bool = False
) -> Response | None:
    """The files of one project, each where `link` says; None when there are none."""
    found = [wheel for wheel in wheels if wheel.project == project]
    if not found:
        return None
    if as_json:
        files = [
            {"filename": one.filename, "url": link(one), "hashes": {"sha256": one.sha256}} for one in found
        ]
        return _json({"meta": {"api-version": "1.0"}, "name": project, "files": files})
    return _page(project, [_anchor(one, link(one)) for one in found])


def _anchor(wheel: Wheel, link: str) -> str:
    return f'<a href="{html.escape(link)}#sha256={wheel.sha256}">{html.escape(wheel.filename)}</a>'


def _json(content: object) -> Response:
    return Response(200, json.dumps(content).encode(), (("Content-Type", JSON_TYPE),))


def _page(title: str, anchors: list[str]) -> Response:
    body = "<br/>\n".join(anchors)
    return html_response(
        200, f"<!DOCTYPE html><html><head><title>{title}</title></head><body>\n{body}\n</body></html>"
    )
