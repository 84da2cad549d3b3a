from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.failures import Unavailable
from broker.host.clock import SystemClock
from broker.providers.azure.codespaces import WAIT_S, AdoAuthHelper
from broker.providers.azure.identities import Bearer
from tests.providers.azure.feeds import PERSON, TENANT
from tests.providers.tokens import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.providers.programs import Workshop

TOKEN = jwt(tid=TENANT, upn=PERSON, scp="user_impersonation")


class Naps(SystemClock):
    """A clock whose naps take no time and are counted; `then` happens after each."""

    def __init__(self, then: Callable[[int], object] = lambda _: None) -> None:
        self.napped_s = 0.0
        self.count = 0
        self._then = then

    async def nap(self, seconds: float) -> None:
        """Be done at once."""
        self.napped_s += seconds
        self.count += 1
        self._then(self.count)


def bring_helper(workshop: Workshop, output: str = TOKEN, code: int = 0) -> None:
    workshop.file(
        "ado-auth-helper", f'#!/bin/sh\n[ "$1" = get-access-token ] && echo "{output}"\nexit {code}'
    )
    (workshop.home / "ado-auth-helper").chmod(0o755)


async def test_the_helper_gives_its_persons_token(workshop: Workshop) -> None:
    bring_helper(workshop)

    bearer = await AdoAuthHelper(workshop.environ).bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.token.reveal(), bearer.kind, bearer.source) == (TOKEN, "user", "ado-auth-helper")
    assert bearer.account == PERSON


async def test_a_codespace_is_waited_for_until_the_helper_appears(workshop: Workshop) -> None:
    naps = Naps(lambda count: bring_helper(workshop) if count == 3 else None)
    workshop.environ["CODESPACES"] = "true"
    helper = AdoAuthHelper(workshop.environ, naps)

    assert helper.unavailable_reason() is None
    assert isinstance(await helper.bearer(TENANT), Bearer)
    assert naps.count == 3


async def test_a_helper_that_does_not_appear_is_not_waited_for_longer(workshop: Workshop) -> None:
    naps = Naps()

    with pytest.raises(Unavailable, match="has not appeared within 10 s"):
        await AdoAuthHelper(workshop.environ, naps).bearer(TENANT)

    assert naps.napped_s == WAIT_S


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [("s3cret", 1, "exit code 1"), ("", 0, "something else"), ("a\nb", 0, "something else")],
)
async def test_a_helper_that_fails_may_be_better_later(
    output: str, code: int, words: str, workshop: Workshop
) -> None:
    bring_helper(workshop, output, code)

    with pytest.raises(Unavailable, match=words) as raised:
        await AdoAuthHelper(workshop.environ).bearer(TENANT)

    assert "s3cret" not in raised.value.detail


def test_elsewhere_than_in_a_codespace_this_way_is_closed(workshop: Workshop) -> None:
    helper = AdoAuthHelper(workshop.environ)
    before = helper.fingerprint()

    assert (
        helper.unavailable_reason()
        == "there is no ~/ado-auth-helper, and this is no codespace that would get one"
    )
    bring_helper(workshop)
    assert helper.unavailable_reason() is None
    assert helper.fingerprint() != before
