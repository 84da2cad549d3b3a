"""The real az, signed in as a service principal through a CONNECT proxy to the fake Entra: its own cache, its
own JSON, its own words when the sign-in has ended.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded
from broker.core.feeds import READ
from broker.providers.azure.azure_cli import AzureCli
from broker.providers.azure.identities import Bearer
from tests.e2e.patience import until
from tests.fakes import tokens
from tests.fakes.connect_proxy import Conduct
from tests.fakes.entra import LIFETIME_S
from tests.providers.azure.feeds import TENANT, feed_with, leave
from tests.providers.azure.jobs import CLIENT, LOGIN_HOST, SECRET, SUBJECT, Job, certificate, new_certificate
from tests.providers.azure.test_real_az import az_folder

if TYPE_CHECKING:
    from pathlib import Path

    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.organisation import Organisation

__all__ = ["az_folder"]

pytestmark = pytest.mark.long

LOGIN_S = 120.0
BRIEF_S = 3.0
"""A token's life that az's cache never serves: it asks anew within five minutes of the end."""
KEPT_S = 30.0
ASSERTION_S = 20.0
WAYS = ("secret", "certificate", "federated token")


class RealAz:
    """The real az in a home of the test's own."""

    def __init__(self, folder: Path, home: Path, proxy: ConnectProxy, job: Job) -> None:
        self.job = job
        self.assertion_ends = time.time() + 3600
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
                claims = {"sub": SUBJECT, "aud": "api://AzureADTokenExchange"}
                assertion = tokens.sign({**claims, "exp": self.assertion_ends})
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


async def token_of(real: RealAz) -> str:
    bearer = await AzureCli(real.environ).bearer(TENANT)
    assert isinstance(bearer, Bearer)
    return bearer.token.reveal()


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_whose_end_has_passed_is_replaced_by_the_same_sign_in(
    way: str, real: RealAz, acme: Organisation
) -> None:
    real.job.cloud.entra.lifetime_s = BRIEF_S
    real.sign_in(way)
    first = await token_of(real)
    until(lambda: acme.identify_entra(first) is None, "the token's end")
    real.job.cloud.entra.lifetime_s = LIFETIME_S

    second = await token_of(real)

    assert acme.identify_entra(second)
    assert await token_of(real) == second


async def test_the_real_cache_gives_a_token_until_five_minutes_before_its_end(real: RealAz) -> None:
    """MSAL's margin (application.py, `_acquire_token_silent_from_cache_and_possibly_refresh_it`)."""
    real.job.cloud.entra.lifetime_s = 300 + KEPT_S
    real.sign_in("secret")
    first = await token_of(real)
    obtained_at = time.time()

    given = [await token_of(real)]
    while given[-1] == first:
        assert time.time() < obtained_at + 2 * KEPT_S
        given.append(await token_of(real))

    assert given[0] == first


REVOKED: dict[str, tuple[dict[str, object], str]] = {
    "secret": ({"secret": "another s3cret"}, "the client secret is wrong"),
    "certificate": ({"certificate_pem": new_certificate()[0]}, "the certificate is not the application's"),
    "federated token": ({"federated_subject": "another"}, "no federated credential .* matches this job"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_proof_that_was_revoked_is_told_by_the_real_words(way: str, real: RealAz) -> None:
    """At the end of the token, which az keeps for its life."""
    real.job.cloud.entra.lifetime_s = BRIEF_S
    real.sign_in(way)
    await token_of(real)
    proof, says = REVOKED[way]
    real.job.register(**proof)

    with pytest.raises((SignInNeeded, Refused), match=says) as raised:
        await token_of(real)

    assert "s3cret" not in f"{raised.value.detail} {raised.value.hint}"
    if way == "secret":
        assert raised.value.hint == f"az login --tenant {TENANT} --service-principal --username APP_ID"


async def test_an_assertion_that_has_ended_is_told(real: RealAz) -> None:
    """The one that `az login --federated-token` was given: az keeps it, and asks by it again."""
    real.job.cloud.entra.lifetime_s = BRIEF_S
    real.assertion_ends = time.time() + ASSERTION_S
    real.sign_in("federated token")
    until(lambda: time.time() > real.assertion_ends, "the assertion's end", 2 * ASSERTION_S)

    with pytest.raises(
        (SignInNeeded, Refused), match="federated token it signed in with has expired"
    ) as raised:
        await token_of(real)

    assert raised.value.hint is not None
    assert "az login" in raised.value.hint


@pytest.mark.parametrize("way", WAYS)
async def test_an_application_that_is_gone_is_told(way: str, real: RealAz) -> None:
    real.job.cloud.entra.lifetime_s = BRIEF_S
    real.sign_in(way)
    real.job.cloud.entra.applications.clear()

    with pytest.raises(Refused, match="does not know the application"):
        await token_of(real)


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
        f"az login --tenant {TENANT} --service-principal --username APP_ID --certificate PEM_FILE",
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
