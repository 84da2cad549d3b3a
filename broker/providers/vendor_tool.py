"""A sign-in tool asked for a token: a vendor's program on PATH, or the vendor's SDK in a process of its own.

An SDK loads for half a second with the interpreter's lock held, and may run programs or wait for sockets
without a limit; in a child none of that reaches the loop, and its end is ours to decide. Output goes to
the caller only and is never shown to a user.
"""

import importlib.util
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from broker.core.failures import LOOK_ROUND, NoSource, Unavailable
from broker.host.child_process import Finished
from broker.host.process import run
from broker.host.program_search import search
from broker.host.run_failure import CannotRun, NoResources, NotFound, TimedOut, TooMuchOutput
from broker.providers.expiry import end_of
from broker.providers.helper_program import SecretFound, check_started, found, not_started, token_of
from broker.providers.printed_object import shape_of

TOOL_LIMIT_S = 25.0
"""`aws` and `gcloud` take one to five seconds; a look-up waits 30 s and has to hear of it in time."""

TOOL_OUTPUT_BYTES = 262144
"""A token is up to 4 kB; stderr may hold the warnings of several extensions."""

WITHOUT_TOKENS = "| sed -E 's/[A-Za-z0-9_.~+/=-]{40,}/.../g'"
"""What keeps the token of a repeated command from the terminal, whatever shape it has, for a tool without an
option for that: what RFC 6750 allows in one (section 2.1). Few words of a message are as long.
"""

CA_VARIABLES = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("AWS_CA_BUNDLE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"),
)
"""What OpenSSL, requests, curl, AWS's tools and gcloud call the file of authorities they trust."""


def is_on_path(program: str, environ: Mapping[str, str]) -> bool:
    """True when the child that `environ` makes would find the program, even one that cannot be run."""
    return search(program, environ.get("PATH", "")) is not None


def is_importable(package: str) -> bool:
    """True when the SDK is installed beside us; looks, and imports nothing but the packages around it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def sdk_argv(module: str, *words: str) -> tuple[str, ...]:
    """The command that runs one of our own modules, whose path and output no variable of Python's changes:
    a PYTHONPATH for another project may lead to another `requests`. -P keeps the working directory away.
    """
    return (sys.executable, "-E", "-P", "-m", module, *words)


def variables_fingerprint(environ: Mapping[str, str], *prefixes: str) -> Hashable:
    """What changes with the variables of a vendor's: any of them may choose another account."""
    return tuple(sorted((name, hash(value)) for name, value in environ.items() if name.startswith(prefixes)))


async def ask_tool(
    name: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    ca: Path | None = None,
    *,
    limit_s: float | None = None,
    repeat: str | None = None,
) -> Finished:
    """Run the tool, called `name` in messages, and return how it ended, its complaints included.

    `ca` is the configured file of authorities, which each tool has a variable of its own for. `repeat` is the
    line that does the same in a terminal without showing a token; None for an SDK, which has none.

    Raises NoSource when it is not there, Refused when it is there and cannot be run, Unavailable when it
    cannot be started for now, does not end within `limit_s` (None: TOOL_LIMIT_S) or prints more than
    TOOL_OUTPUT_BYTES.
    """
    limit_s = limit_s or TOOL_LIMIT_S
    trusted = {} if ca is None else dict.fromkeys(CA_VARIABLES, str(ca))
    try:
        finished = await run(
            argv, env={**environ, **trusted}, limit_s=limit_s, output_bytes=TOOL_OUTPUT_BYTES
        )
    except NotFound:
        raise NoSource(f"{name} is not on the broker's PATH") from None
    except (CannotRun, NoResources) as failure:
        raise not_started(name, failure, repeat) from None
    except TimedOut:
        why = f"{name} did not answer within {limit_s:g} s and was stopped"
        raise Unavailable(why, hint=repeat or LOOK_ROUND) from None
    except TooMuchOutput:
        why = f"{name} printed far more than a token and was stopped"
        raise Unavailable(why, hint=repeat or LOOK_ROUND) from None
    check_started(name, finished.code, repeat)
    return finished


def printed_token(
    name: str, output: bytes, token: object, told: object, repeat: str | None = None
) -> SecretFound:
    """The token that was found in the tool's output, and its end; None for `told` is one that does not say.
    `repeat` is as in `ask_tool`.

    Raises Unavailable for what is no token, and for an end that cannot be read.
    """
    try:
        ends = end_of(told)
    except ValueError:
        why = f"{name} printed an end of its token that cannot be read"
        raise Unavailable(why, hint=repeat or LOOK_ROUND) from None
    try:
        return found(token_of(token).reveal(), None, ends)
    except ValueError:
        raise no_token_in(name, output, repeat) from None


def no_token_in(name: str, output: bytes, repeat: str | None = None) -> Unavailable:
    """That the tool printed something else, by its shape alone. `repeat` is as in `ask_tool`."""
    why = f"{name} printed something else than a token: {shape_of(output)}"
    return Unavailable(why, hint=repeat or LOOK_ROUND)
