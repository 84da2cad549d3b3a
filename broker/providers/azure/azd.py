"""`azd`: the person's own sign-in with the Azure Developer CLI, asked for a token at each renewal."""

import shlex
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import ClassVar

from broker.core.failures import NotObtained, SignInNeeded, Unavailable
from broker.host.file_stamp import file_stamp
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.entra_errors import CODE, AsApplication, failure_of_person
from broker.providers.azure.identities import RESOURCE, Bearer, Skipped, entra_bearer
from broker.providers.claims_challenge import encoded
from broker.providers.expiry import from_rfc3339
from broker.providers.helper_program import token_of
from broker.providers.home import expand
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.vendor_tool import WITHOUT_TOKENS, ask_tool, is_on_path, no_token_in

_ABSENT = "azd is not on the broker's PATH"

_SIGNED_OUT = "not logged in, run `azd auth login`"
"""azd's own words, as azure-identity 1.27 knows them (azd_cli.py)."""

_AS_APPLICATION = AsApplication(
    prompted='--client-id APP_ID --client-secret ""',  # an empty one is asked for on the terminal
    certificate="--client-id APP_ID --client-certificate PEM_FILE",
    federated="--client-id APP_ID --federated-credential-provider github",
)
"""azd's reference, `azd auth login`."""

_TOO_OLD = "unknown flag: --claims"
"""What an azd that cannot hand claims on says of the option (azure-identity 1.27, azd_cli.py)."""

_OUTAGES = ("no such host", "connection refused", "i/o timeout", "proxyconnect", "x509:", "TLS handshake")
"""Go's words for a network that is not there."""


class AzureDeveloperCli:
    """Runs `azd auth token`: `environ` is its own, PATH and AZD_CONFIG_DIR included, `ca` whom it trusts."""

    name: ClassVar[str] = "azd"

    def __init__(self, environ: Mapping[str, str], ca: Path | None = None) -> None:
        self._environ = environ
        self._ca = ca

    def unavailable_reason(self) -> str | None:
        """That there is no azd."""
        return None if is_on_path("azd", self._environ) else _ABSENT

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Ask azd, which hands claims on by itself (azure-identity 1.27, azd_cli.py).

        Raises the failure that its complaint stands for, Unavailable when it hangs or babbles.
        """
        chosen = () if tenant == ORGANISATIONS else ("--tenant-id", tenant)
        wanted = () if claims is None else ("--claims", encoded(claims))
        asked = ("--no-prompt", "--scope", f"{RESOURCE}/.default", *chosen, *wanted)
        argv = ("azd", "auth", "token", "--output", "json", *asked)
        repeat = f"{shlex.join(argv)} {WITHOUT_TOKENS}"
        environ = {**self._environ, "NO_COLOR": "true"}
        finished = await ask_tool("azd", argv, environ, self._ca, repeat=repeat)
        if finished.code != 0:
            words = printed_text(finished.stderr + b"\n" + finished.stdout)
            if claims is not None and _TOO_OLD in words:
                return await self.bearer(tenant)  # another token may do
            raise failure_of(words, finished.code, tenant, repeat)
        answer = printed_object(finished.stdout, "token")
        try:
            token = token_of(answer.get("token"))
        except ValueError:
            raise no_token_in("azd", finished.stdout, repeat) from None
        return entra_bearer(token, self.name, from_rfc3339(answer.get("expiresOn")))

    def fingerprint(self) -> Hashable:
        """What changes when a person signs in or out with azd."""
        folder = self._environ.get("AZD_CONFIG_DIR") or "~/.azd"
        return file_stamp(expand(folder, self._environ) / "auth.json")


def login_line(tenant: str) -> str:
    """The command that signs in to the tenant with azd."""
    return " ".join(("azd", "auth", "login", *(() if tenant == ORGANISATIONS else ("--tenant-id", tenant))))


def failure_of(words: str, code: int, tenant: str, repeat: str) -> NotObtained:
    """The failure that azd's words and exit code stand for, with the command that cures it, else `repeat`."""
    login = login_line(tenant)
    found = CODE.search(words)
    if found is not None:
        return failure_of_person(found[1], login, _AS_APPLICATION)
    if _SIGNED_OUT in words:
        return SignInNeeded("azd is signed out", hint=login, drops_token=True)
    if any(symptom in words for symptom in _OUTAGES):
        return Unavailable("azd cannot reach its sign-in service")
    if "azd auth login" in words or "invalid_grant" in words or "interaction_required" in words:
        return SignInNeeded("azd has no sign-in for this tenant", hint=login)
    return Unavailable(f"azd ended with exit code {code}", hint=repeat)
