"""Passwords for uploads in variables of clients whose upload addresses are no indexes of `all_indexes`."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from broker.ctl.clients.stored_passwords import host_of

UPLOADS = {
    "HATCH_INDEX_AUTH": "HATCH_INDEX_REPO",
    "PDM_PUBLISH_PASSWORD": "PDM_PUBLISH_REPO",
    "FLIT_PASSWORD": "FLIT_INDEX_URL",
}
"""Variables with a password for uploads, and the one that says where to (each client's own documentation)."""


class UploadPassword(NamedTuple):
    """A variable with a password, and the host that it is for. The value is not kept."""

    variable: str
    host: str | None


def upload_passwords(environ: Mapping[str, str]) -> Iterator[UploadPassword]:
    """Each that is set, where the variable beside it says where to."""
    for name, address in UPLOADS.items():
        if environ.get(name) and environ.get(address):
            yield UploadPassword(name, host_of(environ[address]))
