"""`azure-cli`: the person's own sign-in with `az`, asked for a token at each renewal."""

import asyncio
import shlex
import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from broker.core.failures import NoSource, SignInNeeded
from broker.host.aside import in_thread
from broker.host.child_process import Finished
from broker.host.file_stamp import file_stamp
from broker.providers.azure.az_errors import failure_of, repeated, token_argv, wants_no_tenant
from broker.providers.azure.challenge import ORGANISATIONS, is_guid
from broker.providers.azure.identities import RESOURCE, Bearer, Skipped, entra_bearer, login_line
from broker.providers.claims_challenge import encoded
from broker.providers.expiry import earliest, from_epoch
from broker.providers.helper_program import token_of
from broker.providers.home import expand
from broker.providers.jwt import expiry_of
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.vendor_tool import ask_tool, is_on_path, no_token_in

AZ_LIMIT_S = 20.0
"""az was seen to take 13 s (azure-cli#20404); a look-up waits 30 s and needs the rest for two requests."""

STAMP_LIMIT_S = 2.0
"""Within this time a disk says when az's files were changed, or it hangs."""

QUIET = {
    "AZURE_CORE_NO_COLOR": "true",
    "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
    "AZURE_CORE_COLLECT_TELEMETRY": "0",  # it would start a process that outlives az
}

CONFIG_DIR = "AZURE_CONFIG_DIR"
"""Where az keeps its sign-ins; another folder is another person to it."""

_ABSENT = "az is not on the broker's PATH"


class AzureCli:
    """Runs `az account get-access-token`. `environ` is the child's, `AZURE_CONFIG_DIR` and PATH included;
    an `account` signs in to a folder of its own in place of that. `ca` is the file of authorities to trust.
    """

    name: ClassVar[str] = "azure-cli"

    def __init__(
        self, environ: Mapping[str, str], account: str | None = None, ca: Path | None = None
    ) -> None:
        self._environ = environ
        self._account = account
        self._ca = ca
        self._seen: Hashable = None
        self._signed: Hashable = None
        self._looking = threading.Lock()

    def unavailable_reason(self) -> str | None:
        """That there is no az."""
        return None if is_on_path("az", self._environ) else _ABSENT

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Ask az. Raises the failure that its complaint stands for, and what `ask_tool` raises.

        Claims are handed on by a person's `az login` alone: `az account get-access-token` has no option for
        them (az 2.91).
        For ORGANISATIONS the default account's own tenant is asked: az takes no name for personal accounts.
        """
        try:
            finished, asked = await self._asked(tenant), tenant
            if finished.code != 0 and wants_no_tenant(
                _words(finished)
            ):  # signed in with `az login --identity`
                finished, asked = await self._asked(ORGANISATIONS), ORGANISATIONS
        except NoSource:
            return Skipped(self.name, _ABSENT)
        chosen = _prefix(self._environ, self._account)
        if finished.code != 0:
            folder = _spelled(self._environ, self._account)
            raise failure_of(_words(finished), finished.code, asked, chosen=chosen, folder=folder)
        bearer = read_answer(finished.stdout, repeated(asked, chosen))
        if asked != tenant and is_guid(tenant) and bearer.tenant != tenant:
            raise SignInNeeded(
                f"az is signed in as a machine's identity of {bearer.tenant or 'an unknown tenant'}, and the "
                f"organisation is of tenant {tenant}",
                hint=login_line(tenant),
            )
        if claims is None or bearer.kind != "user":
            return bearer
        return replace(bearer, replacing=claims_login(self._environ, self._account, tenant, claims))

    async def _asked(self, tenant: str) -> Finished:
        """How az answered. Raises what `ask_tool` raises."""
        await self._look(self.fingerprint)
        try:
            argv, repeat = token_argv(tenant), repeated(tenant, _prefix(self._environ, self._account))
            environ = self._environment()
            return await ask_tool("az", argv, environ, self._ca, limit_s=AZ_LIMIT_S, repeat=repeat)
        finally:
            await self._look(self._own_call)

    async def _look(self, work: Callable[[], object]) -> None:
        """Run what looks at az's files; while their disk hangs, go on without."""
        with suppress(TimeoutError, RuntimeError):
            async with asyncio.timeout(STAMP_LIMIT_S):
                await in_thread(work)

    def _own_call(self) -> None:
        """Take the account list's file as it is now for written by a call of ours."""
        with self._looking:
            self._seen = file_stamp(self._profile)

    def fingerprint(self) -> Hashable:
        """The account list's file as another program than our own calls last wrote it.

        Not what it says: a new sign-in of the same account says the same. And not by our own calls: az may
        write it again at any call, which must not make another organisation's slot due.
        """
        with self._looking:
            seen = file_stamp(self._profile)
            if seen != self._seen:
                self._seen = self._signed = seen
            return self._signed

    def _environment(self) -> dict[str, str]:
        chosen = {CONFIG_DIR: str(self._folder)} if self._account is not None else {}
        return {**self._environ, **QUIET, **chosen}

    @property
    def _folder(self) -> Path:
        if self._account is not None:
            return folder_of(self._environ, self._account)
        return expand(_usual(self._environ), self._environ)

    @property
    def _profile(self) -> Path:
        return self._folder / "azureProfile.json"


def folder_of(environ: Mapping[str, str], account: str) -> Path:
    """Where an account keeps a sign-in of its own, beside the default account's."""
    return expand(f"{_usual(environ)}-{quote(account.lower(), safe='@')}", environ)


def account_login(environ: Mapping[str, str], account: str, tenant: str) -> str:
    """The command that signs the account in without touching another one's sign-in."""
    return f"{_chosen(environ, account)} {login_line(tenant)}"


def claims_login(environ: Mapping[str, str], account: str | None, tenant: str, claims: str) -> str:
    """The command that signs in with the claims that a feed wants, its options as az 2.91 itself prints them
    (core/auth/util.py, `_generate_login_command`).
    """
    asked = ("--scope", f"{RESOURCE}/.default", "--claims-challenge", encoded(claims))
    return f"{_prefix(environ, account)}{login_line(tenant, *asked)}"


def _words(finished: Finished) -> str:
    return printed_text(finished.stderr)


def _usual(environ: Mapping[str, str]) -> str:
    return (environ.get(CONFIG_DIR) or "~/.azure").rstrip("/")


def _chosen(environ: Mapping[str, str], account: str) -> str:
    """The variable that chooses the account's folder, as a shell takes it: `~/` is not quoted."""
    return f"{CONFIG_DIR}={_spelled(environ, account)}"


def _prefix(environ: Mapping[str, str], account: str | None) -> str:
    """What goes before `az` in a line to type."""
    return "" if account is None else f"{_chosen(environ, account)} "


def _spelled(environ: Mapping[str, str], account: str | None) -> str:
    """The folder of the account's sign-in, None for the usual one, as a shell takes it."""
    folder = _usual(environ) + ("" if account is None else f"-{quote(account.lower(), safe='@')}")
    home = folder.startswith("~/")
    return f"{'~/' if home else ''}{shlex.quote(folder.removeprefix('~/') if home else folder)}"


def read_answer(stdout: bytes, repeat: str | None = None) -> Bearer:
    """The bearer in az's JSON. Raises Unavailable for output without one; `repeat` is as in `ask_tool`.

    Its end is the earliest of the token's `exp` and `expires_on`; `expiresOn`, the local time without a zone
    that az before 2.54 printed alone, counts only when neither is there: it is wrong for an hour a year.
    """
    answer = printed_object(stdout, "accessToken")
    try:
        token = token_of(answer.get("accessToken"))
    except ValueError:
        raise no_token_in("az", stdout, repeat) from None
    told = earliest(from_epoch(answer.get("expires_on")), expiry_of(token.reveal()))
    return entra_bearer(token, AzureCli.name, told or _local(answer.get("expiresOn")))


def _local(text: object) -> datetime | None:
    """A local time without a zone, `YYYY-MM-DD HH:MM:SS.ffffff`, in UTC."""
    try:
        return datetime.fromisoformat(text if isinstance(text, str) else "").astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
