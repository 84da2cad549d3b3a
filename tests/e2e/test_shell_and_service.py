"""A variable that signs in, which the shell has and the daemon has not: doctor compares learned feeds too."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.aws import Aws, Home
from tests.fakes.clients import PATIENCE_S
from tests.fakes.http1 import Response

if TYPE_CHECKING:
    from tests.e2e.household import Household

pytestmark = pytest.mark.e2e

BROKERCTL = str(Path(sysconfig.get_path("scripts")) / "brokerctl")
HOST = "my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
FEED = f"https://{HOST}/pypi/corp/simple/"


@pytest.mark.long
def test_a_learned_feed_whose_profile_only_the_shell_names_is_told_apart(house: Household) -> None:
    aws = Aws()
    aws.attach(house.proxy)
    Home(house.home).key("work")
    house.proxy.route(HOST, lambda request: Response(200 if request.basic else 401))
    with house.brokerd() as broker:
        assert broker.wire.look_up(FEED).status != 200
        seen = subprocess.run(
            [BROKERCTL, "doctor"],
            cwd=house.home,
            env={**house.environment, "AWS_PROFILE": "work"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    words = " ".join(seen.stdout.split())
    assert "the sign-in works in this shell but not in the service" in words, seen.stdout + seen.stderr
    assert "brokerctl setup" in words
