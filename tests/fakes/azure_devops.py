"""The fake cloud that tests hold: Azure DevOps organisations and the Entra directory they trust, put
behind a `ConnectProxy` under the real host names. This file only finds who answers.
Next: `organisation.py` for what can be set, `feed_service.py` for what is served.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fakes.entra import LOGIN_HOSTS, Entra
from tests.fakes.faults import not_found
from tests.fakes.feed_service import (
    AUTHORITY_HOST,
    BLOB_HOST,
    OLD_PACKAGE_HOSTS,
    PACKAGE_HOST,
    answer_blob,
    answer_feed,
)
from tests.fakes.organisation import Clock, Organisation
from tests.fakes.session_tokens import PATH, answer_exchange
from tests.fakes.tokens import Account, entra_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.http1 import Answer, Request
    from tests.fakes.wheels import Wheel

OLD_AUTHORITY_HOSTS = ".vssps.visualstudio.com"


class AzureDevOps:
    """The fake cloud. `clock` gives seconds since the epoch; tokens live by it."""

    def __init__(self, clock: Clock = time.time) -> None:
        self.clock = clock
        self.entra = Entra(clock)
        self._organisations: dict[str, Organisation] = {}

    def organisation(self, name: str, *, tenant: str, feeds: Mapping[str, Iterable[Wheel]]) -> Organisation:
        """A new organisation. A feed's key is its name, or `project/name` for a feed of a project."""
        made = Organisation(name, tenant, feeds, self.clock)
        self._organisations[name.lower()] = made
        return made

    def bearer(self, user: str, tenant: str, lifetime_s: float = 3600.0) -> str:
        """An Entra access token of a person, as `az` would hand it out."""
        return entra_token(Account(user, tenant), issued_at=self.clock(), lifetime_s=lifetime_s)

    def attach(self, proxy: ConnectProxy) -> None:
        """Lead every host of this cloud here."""
        for host in (PACKAGE_HOST, f"*{OLD_PACKAGE_HOSTS}", BLOB_HOST):
            proxy.route(host, self._packages)
        for host in (AUTHORITY_HOST, f"*{OLD_AUTHORITY_HOSTS}"):
            proxy.route(host, self._authority)
        for host in LOGIN_HOSTS:
            proxy.route(host, self.entra)

    def _packages(self, request: Request) -> Answer:
        if request.host == BLOB_HOST:
            return answer_blob(self._blobs(), request)
        organisation, path = self._locate(request, PACKAGE_HOST, OLD_PACKAGE_HOSTS)
        return not_found() if organisation is None else answer_feed(organisation, request, path)

    def _authority(self, request: Request) -> Answer:
        organisation, path = self._locate(request, AUTHORITY_HOST, OLD_AUTHORITY_HOSTS)
        if organisation is None or path != PATH:
            return not_found()
        return answer_exchange(organisation, request)

    def _locate(self, request: Request, host: str, old_hosts: str) -> tuple[Organisation | None, str]:
        """The organisation, by first path segment or by first host label, and the path below it."""
        if request.host == host:
            name, slash, rest = request.path.lstrip("/").partition("/")
            return self._organisations.get(name.lower()), slash + rest
        name = request.host.removesuffix(old_hosts)
        return self._organisations.get(name), request.path

    def _blobs(self) -> dict[str, bytes]:
        wheels = (
            wheel for one in self._organisations.values() for feed in one.feeds for wheel in feed.wheels
        )
        return {wheel.sha256: wheel.content for wheel in wheels}
