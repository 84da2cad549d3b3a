"""`ado-auth-helper`: the sign-in of a GitHub codespace, which its editor brings along after the start.

The helper is `~/ado-auth-helper`, put there by the extension "ms-codespaces-tools.ado-codespaces-auth"; it
prints an Entra token of the person whose codespace it is.
"""

import shlex
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import ClassVar

from broker.core.failures import Unavailable
from broker.host.clock import Clock, SystemClock
from broker.host.file_stamp import file_stamp
from broker.providers.azure.identities import Bearer, Skipped, entra_bearer
from broker.providers.helper_program import read, token_of
from broker.providers.home import expand
from broker.providers.vendor_tool import WITHOUT_TOKENS, ask_tool, is_on_path, no_token_in

WAIT_S = 10.0
GLANCE_S = 0.25
"""A look-up waits this long for the helper to appear, which the editor's extension may take minutes to bring:
the keeper tries again, and a look-up's whole budget is 30 s.
"""

_NO_HELPER = "there is no ~/ado-auth-helper, and this is no codespace that would get one"


class AdoAuthHelper:
    """Runs the helper of the home that `environ` names."""

    name: ClassVar[str] = "ado-auth-helper"

    def __init__(self, environ: Mapping[str, str], clock: Clock | None = None) -> None:
        self._environ = environ
        self._clock = clock or SystemClock()

    def unavailable_reason(self) -> str | None:
        """That it is not there, and will not come either."""
        if self._is_there() or self._environ.get("CODESPACES") == "true":
            return None
        return _NO_HELPER

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:  # noqa: ARG002 - its own editor signs in
        """Wait for the helper and ask it. Raises Unavailable when it does not come, fails or babbles."""
        for _ in range(int(WAIT_S / GLANCE_S)):
            if self._is_there():
                break
            await self._clock.nap(GLANCE_S)
        else:
            raise Unavailable(f"ado-auth-helper has not appeared within {WAIT_S:.0f} s")
        argv = (str(self._helper), "get-access-token")
        repeat = f"{shlex.join(argv)} {WITHOUT_TOKENS}"
        finished = await ask_tool("ado-auth-helper", argv, self._environ, repeat=repeat)
        if finished.code != 0:
            raise Unavailable(
                f"ado-auth-helper ended with exit code {finished.code}: is the codespace's editor connected?",
                hint=repeat,
            )
        try:
            found = read(finished.stdout)
            token = token_of(found.secret.reveal())
        except ValueError:
            raise no_token_in("ado-auth-helper", finished.stdout, repeat) from None
        return entra_bearer(token, self.name, found.expires_at)

    def fingerprint(self) -> Hashable:
        """What changes when the helper appears."""
        return file_stamp(self._helper)

    def _is_there(self) -> bool:
        return is_on_path(str(self._helper), self._environ)

    @property
    def _helper(self) -> Path:
        return expand("~/ado-auth-helper", self._environ)
