"""People who sign in: fixtures and deeds that the tests of interactive sign-ins share."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.feeds import Feed
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn
from broker.providers.protocol import Interactive, ProviderContext
from tests.fakes.tokens import Account
from tests.providers.azure.feeds import PERSON, TENANT, feed_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.entra import Entra
    from tests.fakes.organisation import Organisation

BOTH = (LoginMethod.BROWSER, LoginMethod.DEVICE_CODE)
BY_CODE = (LoginMethod.DEVICE_CODE,)
PRESSED = "device_code"
RENEWED = "refresh_token"


@pytest.fixture
def home(tmp_path: Path, tools: ProviderContext, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, for the daemon and for azure-identity."""
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    environ: Any = tools.environ
    environ["HOME"] = str(made)
    monkeypatch.setenv("HOME", str(made))
    return made


@pytest.fixture
def entra(home: Path, acme: Organisation, cloud: AzureDevOps) -> Entra:
    """The directory whose tokens `acme` takes; every token it gives is to be renewed at once."""
    assert home.is_dir()
    assert acme.feeds
    cloud.entra.lifetime_s = 200  # msal renews what has less than five minutes left
    return cloud.entra


async def signing(
    provider: object,
    act: Callable[[LoginPage], None],
    feed: Feed | None = None,
    ways: tuple[LoginMethod, ...] = BY_CODE,
    *,
    in_file: bool = False,
) -> SignedIn:
    """Sign in, a person doing `act` on the page that is shown."""
    assert isinstance(provider, Interactive)
    outcome: SignedIn | None = None
    async with aclosing(provider.sign_in(feed or feed_with(), ways, in_file=in_file)) as steps:
        async for step in steps:
            match step:
                case LoginPage():
                    act(step)
                case SignedIn():
                    outcome = step
    assert outcome is not None
    return outcome


def approving(entra: Entra, name: str = PERSON, tenant: str = TENANT) -> Callable[[LoginPage], None]:
    """A person who enters the code and says yes."""
    return lambda page: entra.approve(page.code or "", Account(name, tenant))


def grants(entra: Entra) -> list[str]:
    return [request.grant.rpartition(":")[2] for request in entra.requests]


def saved(home: Path) -> list[Path]:
    return [path for path in (home / ".IdentityService").rglob("*") if path.is_file()]
