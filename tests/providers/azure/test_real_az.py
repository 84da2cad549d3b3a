"""The real az, as PyPI has it: it starts, says that nobody is signed in, and is understood.

It takes two minutes and the network to install. TOKEN_BROKER_TEST_AZ names one that is there already.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.core.failures import SignInNeeded
from broker.providers.azure.azure_cli import AZ_LIMIT_S, AzureCli, claims_login
from tests.providers.azure.feeds import TENANT

pytestmark = pytest.mark.long

INSTALL_S = 600.0


@pytest.fixture(scope="module")
def az_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has az in it."""
    if named := os.environ.get("TOKEN_BROKER_TEST_AZ"):
        return Path(named).parent
    folder = tmp_path_factory.mktemp("real-az")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "azure-cli"]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0:
        pytest.skip(f"azure-cli cannot be installed here: {done.stderr[-200:]}")
    return folder / "bin"


@pytest.fixture
def az(az_folder: Path, tmp_path: Path) -> AzureCli:
    """The real az with a home where nobody has ever signed in."""
    return AzureCli({"PATH": f"{az_folder}:/usr/bin:/bin", "HOME": str(tmp_path)})


async def test_the_real_az_says_that_it_is_signed_out_and_the_hint_is_right(az: AzureCli) -> None:
    begun = time.monotonic()
    with pytest.raises(SignInNeeded) as raised:
        await az.bearer(TENANT)
    took_s = time.monotonic() - begun

    assert az.unavailable_reason() is None
    assert raised.value.detail == "az is signed out"
    assert raised.value.hint == f"az login --tenant {TENANT}"
    assert raised.value.drops_token
    assert took_s < AZ_LIMIT_S


async def test_what_the_real_az_writes_at_its_first_call_is_no_news(az: AzureCli) -> None:
    with pytest.raises(SignInNeeded):
        await az.bearer(TENANT)
    before = az.fingerprint()

    with pytest.raises(SignInNeeded):
        await az.bearer(TENANT)

    assert az.fingerprint() == before


def test_the_real_az_takes_each_option_of_the_line_with_claims(az_folder: Path, tmp_path: Path) -> None:
    line = shlex.split(claims_login({}, None, TENANT, '{"access_token":{}}'))
    environ = {"PATH": f"{az_folder}:/usr/bin:/bin", "HOME": str(tmp_path)}
    asked = [str(az_folder / "az"), *line[1:], "--help"]
    told = subprocess.run(asked, env=environ, capture_output=True, text=True, check=False, timeout=60)

    assert told.returncode == 0
    assert all(option in told.stdout for option in line if option.startswith("--"))
