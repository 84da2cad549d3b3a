"""The real AWS CLI, where this machine has one, against AWS's real host names."""

import os
import shutil

import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded
from broker.core.feeds import READ
from broker.providers.codeartifact import provider as codeartifact_provider
from broker.providers.protocol import Provider
from tests.fakes.aws import CODEARTIFACT_HOST, ROLE, error
from tests.fakes.http1 import Response
from tests.providers.codeartifact.feeds import Machine, feed_with

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("aws") is None, reason="there is no AWS CLI here"),
]


@pytest.fixture
def signed_in(machine: Machine, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with the AWS CLI, no boto3, and a user's key."""
    assert provider.name == "codeartifact"  # made first: it takes the machine's programs away
    monkeypatch.setattr(codeartifact_provider, "SDK", "no_such_package")
    machine.workshop.environ["PATH"] = os.environ["PATH"]
    machine.home.key()
    return machine


async def test_the_real_aws_cli_assumes_a_role_and_gives_its_token(
    provider: Provider, signed_in: Machine
) -> None:
    credential = await provider.obtain(feed_with(provider, role=ROLE, duration="1h"), READ)

    assert signed_in.aws.tokens[credential.secret.reveal()] == "role"
    assert credential.expires_at is not None


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (error(403, "AccessDeniedException"), Refused, "aws may not get a token for this domain"),
        (error(400, "ExpiredTokenException"), SignInNeeded, "the AWS credentials have expired"),
    ],
)
async def test_the_real_aws_cli_says_what_boto3_says(
    answer: Response, kind: type[NotObtained], says: str, provider: Provider, signed_in: Machine
) -> None:
    signed_in.aws.faults[CODEARTIFACT_HOST].give(answer)

    with pytest.raises(kind, match=says):
        await provider.obtain(feed_with(provider), READ)
