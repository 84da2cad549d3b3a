"""What an upload carries: the form that twine, uv, poetry, pdm and hatch post to a registry (the upload API
of PyPI's documentation). Next: `registry.py` and `feed_service.py`, which take it in.
"""

from __future__ import annotations

import hashlib
from email import message_from_bytes
from typing import TYPE_CHECKING

from tests.fakes.wheels import Wheel

if TYPE_CHECKING:
    from tests.fakes.http1 import Request


def read_upload(request: Request) -> Wheel | None:
    """The file that was posted, or None when its digest is another than the form says."""
    head = f"Content-Type: {request.header('content-type')}\r\n\r\n".encode()
    fields: dict[str, bytes] = {}
    filename = ""
    for part in message_from_bytes(head + request.body).walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            fields[str(part.get_param("name", "", "content-disposition"))] = content
            filename = part.get_filename() or filename
    content = fields.get("content", b"")
    if hashlib.sha256(content).hexdigest() != _text(fields, "sha256_digest"):
        return None
    return Wheel(_text(fields, "name"), _text(fields, "version"), filename, content)


def _text(fields: dict[str, bytes], name: str) -> str:
    return fields.get(name, b"").decode().strip()
