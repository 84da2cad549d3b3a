"""brokerd that says far more than it would: `talkative.py MODE [options of brokerd]`.

Every library speaks at debug, whatever the configuration says. Each credential that was obtained is said as
a log line, as a header, as a URL and in a traceback. On SIGUSR2 defects strike wherever code of ours may run,
with every token so far in their words and in their frames; on the second one such a defect ends the daemon.
In MODE `bare` nothing is redacted or closed, in `redacted` everything. Next: `test_tracebacks.py`.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

import broker.api.asgi
import broker.api.status_answer
from broker.core.credential import Credential, Secret
from broker.daemon.main import main
from broker.host import hardening, log_handlers, unhurried_log
from broker.keeper.provider_guard import ProviderGuard
from broker.keeper.renewal_loop import RenewalLoop

if TYPE_CHECKING:
    from broker.core.failures import NotObtained
    from broker.core.feeds import Feed

log = logging.getLogger("broker.talkative")

TEXTS: list[str] = []
"""Every token that was obtained so far."""


def talk(credential: Credential) -> None:
    """Say a credential in every way that the redaction must know."""
    secret = credential.secret.reveal()
    TEXTS.append(secret)
    pair = base64.b64encode(f"{credential.username}:{secret}".encode()).decode()
    log.debug("obtained %r, that is %s", credential, credential.secret)
    log.debug("sent Authorization: Basic %s and Authorization: Bearer %s", pair, secret)
    log.debug("asked https://%s:%s@packages.example/simple/", credential.username, secret)
    try:
        strike()
    except RuntimeError:
        log.debug("a defect", exc_info=True)


def strike(*_: object, **__: object) -> NoReturn:
    """A defect that has every token in its frame and its words."""
    tokens = " ".join(TEXTS)
    try:
        raise ValueError(tokens)  # noqa: TRY301 - the next one comes of it
    except ValueError as error:
        error.add_note(f"while holding {tokens}")
        raise RuntimeError(f"cannot make sense of {tokens}") from error


class Broken:
    """What cannot be destroyed."""

    def __del__(self) -> None:
        strike()


def strike_everywhere() -> None:
    """Let a defect strike in a callback, a task, a thread and a destructor, and from now on in requests."""
    loop = asyncio.get_running_loop()
    loop.call_soon(strike)
    lost = loop.create_task(asyncio.to_thread(strike))
    lost.add_done_callback(lambda _: None)
    threading.Thread(target=strike).start()
    Broken()
    vars(broker.api.asgi).update(answer_in_time=strike)
    vars(broker.api.status_answer).update(status_of=strike)


def on_signal(ending: asyncio.Event) -> None:
    """The first signal strikes everywhere, the second ends the daemon."""
    if vars(broker.api.status_answer)["status_of"] is strike:
        ending.set()
    else:
        strike_everywhere()


def loosen() -> None:
    """Let everything be said as it is, and the memory be read."""
    vars(hardening).update(close_to_others=lambda: None)
    Secret.__repr__ = Secret.reveal  # type: ignore[method-assign]
    log_handlers.redacted = lambda text: text
    vars(log_handlers).update(place_of=lambda error: "".join(traceback.format_exception(error)))


def listen_in() -> None:
    """Talk about each credential, and raise the level of all that is said."""
    obtain, run = ProviderGuard.obtain, RenewalLoop.run

    async def obtained(
        self: ProviderGuard, feed: Feed, scope: str, claims: str | None = None
    ) -> Credential | NotObtained:
        outcome = await obtain(self, feed, scope, claims)
        if isinstance(outcome, Credential):
            talk(outcome)
        return outcome

    async def running(self: RenewalLoop) -> None:
        ending = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, on_signal, ending)
        keeping, told = asyncio.create_task(run(self)), asyncio.create_task(ending.wait())
        await asyncio.wait({keeping, told}, return_when=asyncio.FIRST_COMPLETED)
        keeping.cancel()
        strike()  # outside the walls of a turn

    ProviderGuard.obtain = obtained  # type: ignore[method-assign]
    RenewalLoop.run = running  # type: ignore[method-assign]
    unhurried_log.FILE_BYTES_MAX = sys.maxsize
    for logger in (logging.getLogger(), logging.getLogger("broker")):
        logger.setLevel(logging.DEBUG)
        vars(logger).update(setLevel=lambda _: None)


if __name__ == "__main__":
    mode, *options = sys.argv[1:]
    listen_in()
    if mode == "bare":
        loosen()
    sys.exit(main(options))
