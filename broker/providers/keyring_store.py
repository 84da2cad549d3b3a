"""The operating system's own secret store, read through the keyring library and never through ourselves.

The library's usual choice may be `token_broker_keyring`, which would ask this daemon, or its chain, which
would ask it too; so the store is chosen here by name. A store may wait for a person, so every question has a
limit, and all are asked one after another by a thread of their own.
"""

import concurrent.futures
import contextlib
import functools
import queue
import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from broker.core.failures import ADD_TO, SignInNeeded, Unavailable

if TYPE_CHECKING:
    import asyncio

    from keyring.backend import KeyringBackend

KEYRING_LIMIT_S = 20.0
"""Long enough to type a password into an unlock dialog, short enough for a look-up to hear of it."""

LOCKED_RETRY_S = 600.0
"""Each question to a locked store may open its dialog again, so the next one comes late."""

OWN_STORES = (
    ("keyring.backends.macOS.Keyring",)  # to try it elsewhere starts a compiler: ctypes looks for a library
    if sys.platform == "darwin"
    else (
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
    )
)
"""The stores of keyring 25.7 for this system, the preferred one first. Feed plug-ins are none of them."""

Login = tuple[str | None, str]


async def read_login(
    service: str,
    username: str | None,
    *,
    store: "Callable[[], KeyringBackend] | None" = None,
    limit_s: float = KEYRING_LIMIT_S,
) -> Login:
    """Return the username and password that the store has for `service`, and for `username` where given.

    `store` finds the backend to ask (None: `chosen_store`). Raises SignInNeeded when there is no such entry
    or no store, Unavailable when the store is locked, broken or silent for `limit_s`.
    """
    import asyncio  # noqa: PLC0415 - loaded wherever this is awaited, and a fifth of what the program takes

    answer = _in_turn(lambda: _look_up(store or chosen_store, service, username))
    try:
        async with asyncio.timeout(limit_s):
            login = await answer
    except TimeoutError:
        raise Unavailable(
            f"the keyring did not answer within {limit_s:.0f} s: it may wait to be unlocked",
            hint=trying(service, username),
            retry_after_s=LOCKED_RETRY_S,
        ) from None
    if login is None:
        raise SignInNeeded(
            f"the keyring has no password for {service}" + (f" and user {username}" if username else ""),
            hint=putting(service, username),
        )
    return login


def putting(service: str, username: str | None) -> str:
    """The command that puts a password into the store that is read here, which asks for it.

    Not `keyring set`: on PATH that may be our shim, and the library may take our own backend, which keeps
    nothing.
    """
    return _line("set", service, username or "USERNAME")


def trying(service: str, username: str | None) -> str:
    """The command that asks the same of the same store, shows what it says to that, and no password."""
    return _line("try", service, *((username,) if username else ()))


def _line(*words: str) -> str:
    """-P: a project that it is typed in may have modules of its own, which would get the password."""
    return shlex.join((sys.executable, "-P", "-m", __name__, *words))


def chosen_store() -> "KeyringBackend":
    """The backend that the user configured for the library, else the system's own store.

    Never ours and never the library's chain, whichever way they were configured. Raises SignInNeeded when
    nothing is left.
    """
    import configparser  # noqa: PLC0415 - as the next one

    from keyring import core  # noqa: PLC0415 - imported in the thread that needs it, not with the daemon
    from keyring.backends.chainer import ChainerBackend  # noqa: PLC0415

    with contextlib.suppress(configparser.Error, *_NO_SUCH_STORE):  # the former of a file that is none of its
        configured = core.load_env() or core.load_config()
        if configured is not None and not isinstance(configured, ChainerBackend) and not _is_ours(configured):
            return configured
    for name in OWN_STORES:
        with contextlib.suppress(*_NO_SUCH_STORE):
            return core.load_keyring(name)
    raise SignInNeeded(
        "the broker reaches no keyring: it needs a Secret Service, KWallet or macOS's keychain",
        hint=f'{ADD_TO}its [[feed]], in place of its secret: secret = "file:~/.config/token-broker/NAME"',
    )


_NO_SUCH_STORE = (ImportError, AttributeError, RuntimeError, ValueError)
"""What loading a backend raises when it is not of this system, misspelt, or its service does not run."""


def _is_ours(backend: "KeyringBackend") -> bool:
    return any(kind.__module__.startswith("token_broker") for kind in type(backend).__mro__)


def _look_up(store: "Callable[[], KeyringBackend]", service: str, username: str | None) -> Login | None:
    from keyring.errors import KeyringLocked  # noqa: PLC0415 - as above

    hint = trying(service, username)
    try:
        return _login(store(), service, username)
    except SignInNeeded:
        raise
    except KeyringLocked:
        raise Unavailable("the keyring is locked", hint=hint, retry_after_s=LOCKED_RETRY_S) from None
    except BaseException as error:  # noqa: BLE001 - a backend is another distribution's, and may end the program
        raise Unavailable(f"the keyring failed ({type(error).__name__})", hint=hint) from None


def _login(backend: "KeyringBackend", service: str, username: str | None) -> Login | None:
    if username is not None:
        password = backend.get_password(service, username)
        return None if password is None else (username, password)
    credential = backend.get_credential(service, None)
    return None if credential is None else (credential.username, credential.password)


_Answer = concurrent.futures.Future[Login | None]
_questions: "queue.SimpleQueue[tuple[_Answer, Callable[[], Login | None]]]" = queue.SimpleQueue()


def _in_turn(look_up: Callable[[], Login | None]) -> "asyncio.Future[Login | None]":
    """Have the question asked by the one thread that talks to the store, after those before it.

    Not by asyncio's threads: a locked store would take them one by one, and the daemon would wait for them
    at its end.
    """
    import asyncio  # noqa: PLC0415 - as above

    _start_thread()  # first: where no thread can be started the question must not stay behind
    answer = _Answer()
    _questions.put((answer, look_up))
    return asyncio.wrap_future(answer)


@functools.cache
def _start_thread() -> None:
    threading.Thread(target=_ask_for_ever, name="keyring", daemon=True).start()


def _ask_for_ever() -> None:
    while True:
        answer, look_up = _questions.get()
        if not answer.set_running_or_notify_cancel():
            continue  # the caller has given up
        try:
            answer.set_result(look_up())
        except BaseException as error:  # noqa: BLE001 - carried to the waiting caller, and raised there
            answer.set_exception(error)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the name of the store that the broker would ask; `set SERVICE USERNAME` puts a password into it,
    `try SERVICE [USERNAME]` says whether it has one.

    Exit code 1 where there is none. Run as a program by code that must not load the library, and by a person.
    """
    if arguments[:1] == ["try"]:
        return _try(*arguments[1:3])
    try:
        store = chosen_store()
    except SignInNeeded as failure:
        if arguments:
            sys.stderr.write(f"token-broker: {failure.detail}\n")
        return 1
    if arguments:
        verb, service, username = arguments
        return _set(store, service, username) if verb == "set" else 2
    name = type(store).__module__
    sys.stdout.write(f"{name}\n")
    return 1 if name in _NOWHERE else 0


def _try(service: str, username: str | None = None) -> int:
    try:
        login = _look_up(chosen_store, service, username)
    except (SignInNeeded, Unavailable) as failure:
        sys.stderr.write(f"token-broker: {failure.detail}\n")
        return 1
    said = f"a password for {service}" + (f" and user {username}" if username else "")
    sys.stdout.write(f"the keyring has {said}\n" if login else f"the keyring does not have {said}\n")
    return 0 if login else 1


def _set(store: "KeyringBackend", service: str, username: str) -> int:
    from getpass import getpass  # noqa: PLC0415 - for a person alone

    from keyring.errors import KeyringError  # noqa: PLC0415 - as above

    try:
        store.set_password(service, username, getpass(f"Password for {username} at {service}: "))
    except (KeyringError, NotImplementedError, OSError, RuntimeError) as error:
        sys.stderr.write(f"token-broker: the keyring took nothing ({type(error).__name__})\n")
        return 1
    return 0


_NOWHERE = frozenset({"keyring.backends.null", "keyring.backends.fail"})
"""Backends that a user chooses to have none."""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
