"""A vendor's tool that is there and cannot be run, on every screen: named, with the cause."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, BROKERCTL, Household, feed, household
from tests.providers.programs import BROKEN
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

TOOLS = {
    "az": (AZURE_FEED, "", "interpreter a dangling link"),
    "gcloud": ("https://europe-west1-python.pkg.dev/acme/corp/simple/", "", "a wrapper of what is gone"),
    "aws": (
        "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/",
        "",
        "a dangling link",
    ),
    "jf": (
        "https://acme.jfrog.io/artifactory/api/pypi/a/simple/",
        'provider = "artifactory"\njf = "acme"',
        "line ends of Windows",
    ),
    "secret-tool": (
        "https://tool.example.com/simple/",
        'provider = "command"\ncommand = ["secret-tool"]',
        "another machine's",
    ),
}
SCREENS = {
    "shim": "keyring get {url} VssSessionToken",
    "status": "{brokerctl} status",
    "explain": "{brokerctl} explain {url}",
    "doctor": "{brokerctl} doctor",
}


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest) -> Iterator[Household]:
    """With a daemon, and a feed for a tool that does not run."""
    tool: str = request.param
    url, keys, broken = TOOLS[tool]
    with household() as made:
        made.az.uninstall()
        for name in [name for name in made.environment if name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_"))]:
            del made.environment[name]
        made.environment |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
        BROKEN[broken][0](made.bin / tool)
        made.configure(feed(tool, url, keys))
        with made.forked_brokerd() as broker:
            broker.wire.look_up(url)
            yield made


@pytest.mark.parametrize("screen", sampled(list(SCREENS), always=("shim", "doctor")))
@pytest.mark.parametrize(
    ("house", "tool"),
    sampled({tool: (tool, tool) for tool in TOOLS}, always=("az",)),
    indirect=["house"],
)
def test_a_tool_that_cannot_be_run_is_named_with_its_cause_on_every_screen(
    house: Household, tool: str, screen: str
) -> None:
    url, _, broken = TOOLS[tool]
    line = SCREENS[screen].format(url=url, brokerctl=shlex.quote(str(BROKERCTL)))

    shown = house._run(shlex.split(line), house.home, {})

    words = " ".join(shown.text.split())
    assert f"{tool} cannot be run: " in words
    assert re.search(BROKEN[broken][1], words)
