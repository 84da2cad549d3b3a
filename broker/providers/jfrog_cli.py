"""`jf`, the JFrog CLI, asked for a token of an hour from the sign-in that it keeps (`jf login` and others).

What jf keeps, a refresh token that works once for example, stays jf's own: it renews it at each of its calls,
so that neither a restart of ours nor a call of the user's breaks the chain. JFrog CLI's pages "Creating
access tokens" (`jf atc`) and "JFrog Platform configuration" (`~/.jfrog/jfrog-cli.conf.v6`).
"""

import shlex
from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.host.file_stamp import file_stamp
from broker.providers.expiry import earliest, end_after
from broker.providers.helper_program import SecretFound
from broker.providers.home import expand
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.vendor_tool import WITHOUT_TOKENS, ask_tool, printed_token

LIFE_S = 3600
"""What a user who is no administrator may ask for by default ("Create token" of JFrog's REST API)."""

NO_END: tuple[object, ...] = (None, 0)
"""What a token without an end has for `expires_in` ("Create token": 0 is one that never expires)."""

QUIET = {
    "CI": "true",  # no questions, no progress bar
    "JFROG_CLI_LOG_LEVEL": "ERROR",
    "JFROG_CLI_REPORT_USAGE": "false",
    "JFROG_CLI_AVOID_NEW_VERSION_WARNING": "true",
}

_OUTAGES = ("no such host", "connection refused", "i/o timeout", "x509:", "proxyconnect", "TLS handshake")
"""Go's words for a network that is not there."""

_NOBODY = ("no JFrog servers configured", "does not exist", "no configured servers")
_SIGNED_OUT = (
    "401",
    "Unauthorized",
    "invalid_grant",
    "refresh token",
    "NOT_FOUND",
    "Token failed verification",
)


def token_argv(server: str) -> tuple[str, ...]:
    """How jf is asked."""
    return ("jf", "atc", f"--server-id={server}", f"--expiry={LIFE_S}")


async def token_of(
    server: str, environ: Mapping[str, str], ca: Path | None, now: datetime
) -> tuple[SecretFound, str | None]:
    """A token of the server's user, and who that is where jf says so.

    Raises what jf's complaint stands for.
    """
    repeat = f"{shlex.join(token_argv(server))} {WITHOUT_TOKENS}"
    finished = await ask_tool("jf", token_argv(server), {**environ, **QUIET}, ca, repeat=repeat)
    if finished.code != 0:
        raise failure_of(
            printed_text(finished.stderr + b"\n" + finished.stdout), finished.code, server, repeat
        )
    answer = printed_object(finished.stdout, "access_token")
    life_s = answer.get("expires_in")
    try:
        ends = None if life_s in NO_END else end_after(life_s, now)
    except ValueError:
        raise Unavailable("the end of the token that jf printed cannot be read", hint=repeat) from None
    token = printed_token("jf", finished.stdout, answer.get("access_token"), None, repeat)
    token = replace(token, expires_at=earliest(token.expires_at, ends))
    person = answer.get("username")
    return token, person if isinstance(person, str) and person.isprintable() else None


def failure_of(words: str, code: int, server: str, repeat: str) -> NotObtained:
    """What jf's words mean, with the command that cures it, else `repeat`."""
    if any(symptom in words for symptom in _OUTAGES):
        return Unavailable("jf cannot reach its server")
    if any(symptom in words for symptom in _NOBODY):
        hint = f"jf config add {shlex.quote(server)}"
        return SignInNeeded(f"jf has no server {server}", hint=hint, drops_token=True)
    if any(symptom in words for symptom in _SIGNED_OUT):
        return SignInNeeded(
            f"the sign-in of jf at {server} has ended or was revoked",
            hint=f"jf config edit {shlex.quote(server)}",
        )
    if "403" in words or "Forbidden" in words:
        return Refused(f"jf may not create a token at {server}: its user has no right to")
    return Unavailable(f"jf ended with exit code {code}", hint=repeat)


def fingerprint(environ: Mapping[str, str]) -> Hashable:
    """What changes when jf's configuration does, a renewal of its own included: that costs one more token."""
    folder = expand(environ.get("JFROG_CLI_HOME_DIR") or "~/.jfrog", environ)
    try:
        files = sorted(folder.glob("jfrog-cli.conf.v*"))
    except OSError:
        files = []
    return tuple(file_stamp(path) for path in files)
