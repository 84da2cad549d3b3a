"""What `/openapi.json` says and FastAPI cannot see: how each failure is told, and in which media types."""

from typing import Any

from fastapi.responses import Response

from broker.core.problem import MEDIA_TYPE, PROBLEM_TYPES

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "hint", "feed"],
    "properties": {
        "type": {"enum": [kind.slug for kind in PROBLEM_TYPES.values()]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": ["string", "null"], "description": "a command to type, or lines to add to a file"},
        "feed": {"type": ["string", "null"]},
    },
}
"""RFC 9457, with two members of ours."""


def _told(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {
            MEDIA_TYPE: {"schema": PROBLEM_SCHEMA},
            "text/plain": {"schema": {"type": "string"}},
        },
    }


PROBLEMS: dict[int | str, dict[str, Any]] = {
    **{kind.status: _told(kind.title) for kind in PROBLEM_TYPES.values()},
    "default": _told("any other failure"),
}
"""By status; `text/plain` for those who ask for it."""

TWO_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}
"""Of a route that answers in lines, too."""


class Lines(Response):
    """JSON lines."""

    media_type = "application/jsonl"


class Events(Response):
    """Server-sent events."""

    media_type = "text/event-stream"
