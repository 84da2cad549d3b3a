from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import az as texts
from tests.fakes.az import AzureCli
from tests.fakes.az_program import Conduct, Mode
from tests.fakes.tokens import AZURE_DEVOPS, read_claims

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.organisation import Organisation

pytestmark = pytest.mark.long

TENANT = "11111111-2222-3333-4444-555555555555"
GUEST_TENANT = "22222222-2222-3333-4444-555555555555"
USER = "dev@acme.example"
TOKEN = ("account", "get-access-token", "--resource", AZURE_DEVOPS, "--output", "json")


@pytest.fixture
def signed_in(az: AzureCli) -> AzureCli:
    az.sign_in(USER, [TENANT, GUEST_TENANT])
    return az


def run(az: AzureCli, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **az.environment, **more}
    return subprocess.run(
        ["az", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def token(az: AzureCli, tenant: str = TENANT) -> dict[str, Any]:
    done = run(az, *TOKEN, "--tenant", tenant)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_az_prints_a_token_that_the_cloud_accepts(signed_in: AzureCli, cloud: AzureDevOps) -> None:
    acme: Organisation = cloud.organisation("acme", tenant=TENANT, feeds={})

    answer = token(signed_in)

    identity = acme.identify(answer["accessToken"])
    assert identity is not None
    assert identity.user == USER
    assert set(answer) == {"accessToken", "expiresOn", "expires_on", "subscription", "tenant", "tokenType"}
    assert datetime.strptime(answer["expiresOn"], "%Y-%m-%d %H:%M:%S.%f").timestamp() == answer["expires_on"]  # noqa: DTZ007 - az prints local time without a zone
    assert answer["expires_on"] - time.time() == pytest.approx(4500, abs=5)


def test_the_claims_are_those_of_a_person(signed_in: AzureCli) -> None:
    claims = read_claims(token(signed_in)["accessToken"]) or {}

    assert {
        "tid": TENANT,
        "idtyp": "user",
        "scp": "user_impersonation",
        "upn": USER,
    }.items() <= claims.items()
    assert claims["preferred_username"] == USER


def test_the_claims_of_a_service_principal_say_so(az: AzureCli) -> None:
    az.sign_in("a-client-id", [TENANT], application=True)

    claims = read_claims(token(az)["accessToken"]) or {}

    assert (claims["idtyp"], claims["appid"]) == ("app", "a-client-id")
    assert "scp" not in claims


def test_the_tenant_chooses_the_token(signed_in: AzureCli) -> None:
    assert token(signed_in, GUEST_TENANT)["tenant"] == GUEST_TENANT


def test_a_tenant_that_the_user_is_not_in_is_refused(signed_in: AzureCli) -> None:
    done = run(signed_in, *TOKEN, "--tenant", "33333333-0000-0000-0000-000000000000")

    assert (done.returncode, done.stdout) == (1, "")
    assert "AADSTS50020" in done.stderr


def test_each_configuration_folder_has_its_own_sign_in(signed_in: AzureCli, tmp_path: Path) -> None:
    signed_in.sign_in("other@acme.example", [TENANT], config_dir=tmp_path / "other")

    shown = run(
        signed_in, "account", "show", "--query", "user.name", AZURE_CONFIG_DIR=str(tmp_path / "other")
    )

    assert json.loads(shown.stdout) == "other@acme.example"


@pytest.mark.parametrize("ever", [True, False])
def test_signed_out_says_what_to_type(az: AzureCli, *, ever: bool) -> None:
    if ever:
        az.sign_in(USER, [TENANT])
        az.sign_out()

    done = run(az, *TOKEN)

    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", texts.LOGGED_OUT)


def test_the_account_list_is_as_az_writes_it(signed_in: AzureCli) -> None:
    raw = (signed_in.config_dir / "azureProfile.json").read_bytes()

    assert raw.startswith(b"\xef\xbb\xbf")
    listed = json.loads(raw.decode("utf-8-sig"))["subscriptions"]
    assert [(one["tenantId"], one["isDefault"]) for one in listed] == [(TENANT, True), (GUEST_TENANT, False)]


def test_a_call_may_touch_the_account_list_without_changing_it(signed_in: AzureCli) -> None:
    profile = signed_in.config_dir / "azureProfile.json"
    os.utime(profile, (1, 1))
    before = profile.read_bytes()
    signed_in.behave(Conduct(touches_profile=True))

    token(signed_in)

    assert profile.read_bytes() == before
    assert profile.stat().st_mtime > 1


@pytest.mark.parametrize(
    "complaint",
    [
        texts.LOGGED_OUT,
        texts.LOGGED_OUT_OF_SUBSCRIPTION,
        texts.OFFLINE,
        texts.aadsts_complaint(700082, tenant=TENANT),
        texts.old_aadsts_complaint(70043),
    ],
)
def test_az_can_fail_with_any_complaint(signed_in: AzureCli, complaint: str) -> None:
    signed_in.behave(Conduct(mode="fail", complaint=complaint))

    done = run(signed_in, *TOKEN)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", complaint + "\n")


def test_az_can_print_garbage_or_a_warning(signed_in: AzureCli) -> None:
    signed_in.behave(Conduct(mode="garbage"))
    assert "html" in run(signed_in, *TOKEN).stdout

    signed_in.behave(Conduct(complaint=texts.UPGRADE_WARNING))
    assert run(signed_in, *TOKEN).stderr == texts.UPGRADE_WARNING + "\n"


def test_a_half_used_token_has_half_its_life(signed_in: AzureCli) -> None:
    signed_in.behave(Conduct(lifetime_s=3600, age_s=1800))

    answer = token(signed_in)

    claims = read_claims(answer["accessToken"]) or {}
    assert claims["exp"] == answer["expires_on"]
    assert answer["expires_on"] - time.time() == pytest.approx(1800, abs=5)


def test_an_early_call_may_give_the_same_token(signed_in: AzureCli) -> None:
    signed_in.behave(Conduct(mode="same"))
    first, second = token(signed_in), token(signed_in)
    signed_in.behave(Conduct())

    assert first == second
    assert token(signed_in)["accessToken"] != first["accessToken"]


def test_an_older_az_tells_local_time_alone(signed_in: AzureCli) -> None:
    signed_in.behave(Conduct(tells_epoch=False))

    assert "expires_on" not in token(signed_in)


def test_concurrent_calls_are_all_counted(signed_in: AzureCli) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: run(signed_in, *TOKEN), range(24)))

    assert len(signed_in.calls) == 24
    assert {call.arguments for call in signed_in.calls} == {TOKEN}
    assert {call.config_dir for call in signed_in.calls} == {str(signed_in.config_dir)}


def test_a_held_call_goes_on_when_released(signed_in: AzureCli) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with signed_in.held():
            call = pool.submit(token, signed_in)
            signed_in.wait_for_calls(1)
            assert not call.done()

        assert call.result(10)["tenant"] == TENANT


def test_a_hanging_az_leaves_a_grandchild_with_the_pipe(signed_in: AzureCli) -> None:
    signed_in.behave(Conduct(mode="hang-with-grandchildren"))
    environment = {**os.environ, **signed_in.environment}
    with subprocess.Popen(
        ["az", *TOKEN],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as hung:
        signed_in.wait_for_grandchildren(1)
        os.kill(hung.pid, signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            hung.communicate(timeout=0.2)  # the pipe is still held
        os.killpg(hung.pid, signal.SIGKILL)

        hung.communicate(timeout=60)

    assert texts.still_alive(signed_in.grandchildren) == []


@pytest.mark.parametrize("mode", ["hang", "hang-with-grandchildren"])
def test_nothing_hangs_longer_than_its_test(tmp_path: Path, mode: Mode) -> None:
    with AzureCli(tmp_path / "hanging") as az:
        az.behave(Conduct(mode=mode))
        command = [str(az.program), *TOKEN]
        hung = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        az.wait_for_calls(1)

    assert hung.communicate(timeout=60) == (b"", b"")


def test_az_can_be_taken_off_the_machine(signed_in: AzureCli) -> None:
    signed_in.uninstall()
    assert not signed_in.program.exists()

    signed_in.install()
    assert token(signed_in)["tenant"] == TENANT
