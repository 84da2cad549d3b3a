"""The real az, signed in as a service principal through a CONNECT proxy to the fake Entra: its own cache, its
own JSON, its own words when the sign-in has ended.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded
from broker.core.feeds import READ
from broker.providers.azure.azure_cli import AzureCli
from broker.providers.azure.identities import Bearer
from tests.fakes import tokens
from tests.fakes.connect_proxy import Conduct
from tests.providers.azure.feeds import TENANT, feed_with, leave
from tests.providers.azure.jobs import CLIENT, LOGIN_HOST, SECRET, SUBJECT, Job, certificate
from tests.providers.azure.test_real_az import az_folder

if TYPE_CHECKING:
    from pathlib import Path

    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.organisation import Organisation

__all__ = ["az_folder"]

pytestmark = pytest.mark.long

LOGIN_S = 120.0
WAYS = ("secret", "certificate", "federated token")


class RealAz:
    """The real az in a home of the test's own."""

    def __init__(self, folder: Path, home: Path, proxy: ConnectProxy, job: Job) -> None:
        self.job = job
        self.cache = home / ".azure" / "msal_token_cache.json"
        self.environ = {
            **proxy.environment({}),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(home),
            "AZURE_CONFIG_DIR": str(home / ".azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "0",
        }

    def typed(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a line into a shell."""
        shell = ["/bin/sh", "-c", line]
        return subprocess.run(
            shell, env=self.environ, capture_output=True, text=True, timeout=LOGIN_S, check=False
        )

    def sign_in(self, way: str) -> None:
        """`az login --service-principal` by this way."""
        match way:
            case "secret":
                self.job.register(secret=SECRET)
                proof = f'--password "{SECRET}"'
            case "certificate":
                pem, key_and_pem = certificate()
                self.job.register(certificate_pem=pem)
                proof = f"--certificate {self.job.file('az.pem', key_and_pem)}"
            case _:
                self.job.register(federated_subject=SUBJECT)
                assertion = tokens.sign({"sub": SUBJECT, "aud": "api://AzureADTokenExchange"})
                proof = f"--federated-token {assertion}"
        who = f"--service-principal --username {CLIENT} --tenant {TENANT}"
        done = self.typed(f"az login {who} {proof} --skip-subscription-discovery --output none")
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def real(az_folder: Path, tmp_path: Path, proxy: ConnectProxy, job: Job) -> RealAz:
    (tmp_path / "home").mkdir()
    return RealAz(az_folder, tmp_path / "home", proxy, job)


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_real_az_prints_is_served(way: str, real: RealAz) -> None:
    real.sign_in(way)

    bearer = await AzureCli(real.environ).bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.kind, bearer.account, bearer.tenant) == ("app", CLIENT, TENANT)
    assert bearer.expires_at is not None
    assert real.cache.is_file()


async def test_its_token_opens_the_feed(
    real: RealAz, provider: Provider, tools: ProviderContext, acme: Organisation
) -> None:
    real.sign_in("secret")
    leave(tools, **real.environ)

    credential = await provider.obtain(feed_with(auth=["azure-cli"]), READ)

    assert (credential.username, credential.source) == ("bearer", "azure-cli")
    assert acme.identify_entra(credential.secret.reveal())


async def test_a_secret_that_was_replaced_is_told_by_the_real_words(real: RealAz) -> None:
    real.sign_in("secret")
    real.cache.unlink()  # az keeps the token for its life
    real.job.register(secret="another s3cret")

    with pytest.raises(SignInNeeded, match="the client secret is wrong") as raised:
        await AzureCli(real.environ).bearer(TENANT)

    assert raised.value.hint == f"az login --tenant {TENANT} --service-principal --username APP_ID"


async def test_an_application_that_is_gone_is_told(real: RealAz) -> None:
    real.sign_in("secret")
    real.cache.unlink()
    real.job.cloud.entra.applications.clear()

    with pytest.raises(Refused, match="does not know the application"):
        await AzureCli(real.environ).bearer(TENANT)


async def test_a_sign_in_service_out_of_reach_is_told(real: RealAz, proxy: ConnectProxy) -> None:
    real.sign_in("secret")
    real.cache.unlink()
    proxy.conduct(LOGIN_HOST, Conduct.REFUSE)

    with pytest.raises(NotObtained, match=r"az cannot (reach its sign-in service|get through the proxy)"):
        await AzureCli(real.environ).bearer(TENANT)


@pytest.mark.parametrize("content", ['{"AccessToken": {}}{"', '{"AccessToken": ', "not json"])
async def test_the_hint_for_a_damaged_cache_repairs_it(content: str, real: RealAz) -> None:
    """azure-cli#20749, #21848, #26312: `az account clear` fails on some of these as well."""
    real.sign_in("secret")
    real.cache.write_text(content)

    with pytest.raises(SignInNeeded, match="az cannot read its token cache, which is damaged") as raised:
        await AzureCli(real.environ).bearer(TENANT)

    removes, _, logs_in = str(raised.value.hint).partition(" && ")
    assert real.typed(removes).returncode == 0
    assert logs_in == f"az login --tenant {TENANT}"  # a person's; this test is no person
    assert isinstance(await AzureCli(real.environ).bearer(TENANT), Bearer)


@pytest.mark.parametrize(
    "line",
    [
        f"az login --tenant {TENANT}",
        f"az login --tenant {TENANT} --scope 499b84ac-1321-427f-aa17-267ca6975798/.default",
        f"az login --tenant {TENANT} --service-principal --username APP_ID",
        f"az login --tenant {TENANT} --service-principal --username APP_ID --federated-token T",
        f"az account get-access-token --resource 499b84ac --tenant {TENANT} --output json --query expiresOn",
        "az account show --debug",
        f"az ad app credential reset --id {CLIENT}",
        f"az ad app credential reset --id {CLIENT} --append --cert @/tmp/app.pem",
        f"az ad app federated-credential list --id {CLIENT}",
    ],
)
def test_the_real_az_knows_every_option_of_the_hints(line: str, real: RealAz) -> None:
    """The options are read before `--help` is answered: `az login --nonsense --help` fails."""
    shown = real.typed(f"{line} --help")

    wanted = [word for word in line.split() if word.startswith("--")]
    assert shown.returncode == 0, shown.stderr
    assert [word for word in wanted if word not in f"{shown.stdout} --query --output"] == []
