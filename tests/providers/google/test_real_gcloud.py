"""The real gcloud, where this machine has one, against Google's real host names."""

import os
import shutil
import subprocess

import pytest

from broker.core.failures import SignInNeeded
from broker.core.feeds import READ
from broker.providers.google import provider as google_provider
from broker.providers.protocol import Provider
from tests.fakes.authority import Authority
from tests.fakes.google import ROBOT
from tests.providers.google.feeds import Machine, feed_with

GCLOUD = shutil.which("gcloud")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,  # gcloud takes two seconds for each answer
    pytest.mark.skipif(GCLOUD is None, reason="there is no gcloud here"),
]


@pytest.fixture
def signed_in(machine: Machine, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose gcloud has a service account."""
    monkeypatch.setattr(google_provider, "SDK", ("no_such_package",))
    environ = machine.workshop.environ
    environ |= {"PATH": os.environ["PATH"], "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(authority.bundle)}
    gcloud(machine, "activate-service-account", "--key-file", str(machine.files.service_account()))
    return machine


def gcloud(machine: Machine, *words: str) -> None:
    subprocess.run(
        ["gcloud", "auth", *words, "--quiet"], env=machine.workshop.environ, check=True, capture_output=True
    )


async def test_the_real_gcloud_gives_its_token_and_says_when_it_is_signed_out(
    provider: Provider, signed_in: Machine
) -> None:
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)

    credential = await provider.obtain(feed, READ)
    after_our_own_call = provider.sign_in_fingerprint(feed)
    gcloud(signed_in, "revoke", "--all")
    with pytest.raises(SignInNeeded, match="gcloud is signed out") as raised:
        await provider.obtain(feed, READ)

    assert signed_in.google.tokens[credential.secret.reveal()] == ROBOT
    assert (credential.source, credential.account) == ("gcloud", ROBOT)
    assert credential.expires_at is not None
    assert after_our_own_call == before
    assert provider.sign_in_fingerprint(feed) != before
    assert (raised.value.hint, raised.value.drops_token) == ("gcloud auth login", True)
