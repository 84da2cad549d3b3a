import pytest

from broker.core.failures import Refused
from broker.core.feeds import READ
from broker.providers.protocol import Provider
from tests.fakes import az as fake_az
from tests.fakes import faults
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.evil import EvilHost
from tests.fakes.http1 import Headers
from tests.fakes.organisation import NO_TENANT, Organisation
from tests.providers.azure.feeds import OTHER_TENANT, TENANT, feed_with
from tests.providers.azure.test_challenge import HOSTILE_AUTHORITIES, HOSTILE_LOGINS

GENUINE: Headers = (
    ("WWW-Authenticate", f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}"),
    ("X-VSS-ResourceTenant", TENANT),
    ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/acme/"),
)


def instead(name: str, value: str) -> Headers:
    """The genuine challenge with another value of one header."""
    return (*(header for header in GENUINE if header[0] != name), (name, value))


HOSTILE: list[Headers] = [
    *(instead("WWW-Authenticate", f"Bearer authorization_uri={pointer}") for pointer in HOSTILE_LOGINS),
    *(instead("X-VSS-AuthorizationEndpoint", pointer) for pointer in HOSTILE_AUTHORITIES),
    (*GENUINE, ("WWW-Authenticate", f"Bearer authorization_uri=https://evil.example/{TENANT}")),
    (*GENUINE, ("X-VSS-AuthorizationEndpoint", "https://evil.example/acme/")),
    (*GENUINE, ("X-VSS-ResourceTenant", OTHER_TENANT)),
    (*GENUINE, ("X-VSS-ResourceTenant", NO_TENANT)),
    (),
]


@pytest.fixture
def evil(proxy: ConnectProxy) -> EvilHost:
    """Whoever a hostile feed points to."""
    host = EvilHost()
    host.attach(proxy, "*evil*")
    return host


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("headers", HOSTILE)
async def test_a_hostile_challenge_gets_no_bearer_and_starts_no_sign_in(
    headers: Headers, provider: Provider, acme: Organisation, az: fake_az.AzureCli, evil: EvilHost
) -> None:
    acme.challenge = headers

    with pytest.raises(Refused):
        await provider.obtain(feed_with(), READ)

    assert az.calls == ()
    assert len(acme.exchanges) == 0
    assert evil.received == b""


@pytest.mark.usefixtures("signed_in")
async def test_the_genuine_challenge_gets_a_bearer(provider: Provider, acme: Organisation) -> None:
    acme.challenge = GENUINE

    await provider.obtain(feed_with(), READ)

    assert len(acme.exchanges) == 1


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("status", [302, 303, 307, 308])
async def test_no_redirect_is_followed(
    status: int, provider: Provider, acme: Organisation, evil: EvilHost
) -> None:
    for endpoint in (acme.challenge_faults, acme.exchange_faults):
        endpoint.give(faults.redirect("https://evil.example/", status), times=1)
        with pytest.raises(Refused):
            await provider.obtain(feed_with(), READ)

    assert evil.received == b""
