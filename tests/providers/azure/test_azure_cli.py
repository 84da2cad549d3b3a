import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.core.failures import Refused, SignInNeeded, Unavailable
from broker.providers.azure import azure_cli
from broker.providers.azure.azure_cli import AzureCli, read_answer
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.identities import Bearer, Skipped
from tests.fakes import az as fake
from tests.fakes.az_program import Conduct
from tests.providers.azure.feeds import PERSON, TENANT
from tests.providers.programs import no_more_processes
from tests.providers.tokens import jwt

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = int(NEW_YEAR.timestamp())
PLAIN = "opaque-token"


@pytest.fixture
def cli(az: fake.AzureCli) -> AzureCli:
    az.sign_in(PERSON, [TENANT])
    return AzureCli(az.environment)


async def test_az_is_asked_for_the_resource_and_the_tenant(cli: AzureCli, az: fake.AzureCli) -> None:
    bearer = await cli.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.kind, bearer.source, bearer.account, bearer.tenant) == (
        "user",
        "azure-cli",
        PERSON,
        TENANT,
    )
    assert [call.arguments for call in az.calls] == [
        (
            *("account", "get-access-token", "--resource", "499b84ac-1321-427f-aa17-267ca6975798"),
            *("--tenant", TENANT, "--output", "json"),
        )
    ]


async def test_az_is_told_to_be_quiet_and_to_start_nothing(tmp_path: Path) -> None:
    told = "$AZURE_CORE_NO_COLOR-$AZURE_CORE_ONLY_SHOW_ERRORS-$AZURE_CORE_COLLECT_TELEMETRY"
    cli = _script(tmp_path / "az", f'printf \'{{"accessToken": "%s"}}\' "{told}"')

    bearer = await cli.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert bearer.token.reveal() == "true-true-0"


async def test_personal_accounts_are_asked_for_without_a_tenant(cli: AzureCli, az: fake.AzureCli) -> None:
    await cli.bearer(ORGANISATIONS)

    assert "--tenant" not in az.calls[0].arguments


async def test_a_service_principal_is_an_app(cli: AzureCli, az: fake.AzureCli) -> None:
    az.sign_in("a-pipeline", [TENANT], application=True)

    bearer = await cli.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.kind, bearer.account) == ("app", "a-pipeline")


@pytest.mark.parametrize("tells_epoch", [True, False])
async def test_a_half_used_token_ends_when_it_ends(
    tells_epoch: bool, cli: AzureCli, az: fake.AzureCli
) -> None:
    az.behave(Conduct(lifetime_s=3600, age_s=1800, tells_epoch=tells_epoch))

    bearer = await cli.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert bearer.expires_at is not None
    assert timedelta(minutes=29) < bearer.expires_at - datetime.now(UTC) <= timedelta(minutes=30)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        ({"accessToken": PLAIN}, None),
        ({"accessToken": PLAIN, "expires_on": EPOCH}, NEW_YEAR),
        ({"accessToken": PLAIN, "expires_on": str(EPOCH)}, NEW_YEAR),
        ({"accessToken": PLAIN, "expires_on": EPOCH, "expiresOn": "2020-01-01 00:00:00"}, NEW_YEAR),
        ({"accessToken": jwt(exp=EPOCH), "expiresOn": "2020-01-01 00:00:00"}, NEW_YEAR),
        ({"accessToken": jwt(exp=EPOCH), "expires_on": EPOCH + 60}, NEW_YEAR),
        ({"accessToken": jwt(exp=EPOCH + 60), "expires_on": EPOCH}, NEW_YEAR),
        ({"accessToken": PLAIN, "expiresOn": "soon"}, None),
        ({"accessToken": PLAIN, "expiresOn": 5}, None),
        (
            {"accessToken": PLAIN, "expiresOn": NEW_YEAR.astimezone().replace(tzinfo=None).isoformat(" ")},
            NEW_YEAR,
        ),
    ],
)
def test_the_end_is_the_earliest_certain_one(answer: dict[str, object], ends: datetime | None) -> None:
    assert read_answer(json.dumps(answer).encode()).expires_at == ends


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"s3cret",
        b"[]",
        b"null",
        b'{"accessToken": null}',
        b'{"accessToken": ""}',
        b'{"accessToken": 5}',
        b'{"accessToken": {"s3cret": 1}}',
        b'{"accessToken": "s3cret\\nmore"}',
        b'{"token": "s3cret"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_output_without_a_token_may_be_better_later(stdout: bytes) -> None:
    with pytest.raises(Unavailable) as raised:
        read_answer(stdout)

    assert raised.value.detail.startswith("az printed something else than a token: ")
    assert "s3cret" not in raised.value.detail


async def test_a_warning_beside_the_answer_does_no_harm(cli: AzureCli, az: fake.AzureCli) -> None:
    az.behave(Conduct(complaint=fake.UPGRADE_WARNING))

    assert isinstance(await cli.bearer(TENANT), Bearer)


async def test_an_az_that_is_signed_out_says_what_to_type(cli: AzureCli, az: fake.AzureCli) -> None:
    az.sign_out()

    with pytest.raises(SignInNeeded, match="az is signed out") as raised:
        await cli.bearer(TENANT)

    assert raised.value.hint == f"az login --tenant {TENANT}"
    assert raised.value.drops_token


def _script(program: Path, body: str) -> AzureCli:
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return AzureCli({"PATH": f"{program.parent}:/usr/bin:/bin"})


async def test_an_az_that_hangs_is_stopped_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_cli, "AZ_LIMIT_S", 0.5)
    cli = _script(tmp_path / "az", f"sleep 600 & echo $! $$ > '{tmp_path}/started'; wait")

    with pytest.raises(Unavailable, match="az did not answer within"):
        await cli.bearer(TENANT)

    started = [int(pid) for pid in (tmp_path / "started").read_text().split()]
    assert len(started) == 2
    assert fake.still_alive(started) == []


async def test_an_az_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="far more than a token"):
        await _script(tmp_path / "az", "exec yes").bearer(TENANT)


async def test_without_az_this_way_is_closed(cli: AzureCli, az: fake.AzureCli) -> None:
    assert cli.unavailable_reason() is None
    az.uninstall()
    nowhere = AzureCli({"PATH": str(az.bin)})

    assert nowhere.unavailable_reason() == "az is not on the broker's PATH"
    assert await nowhere.bearer(TENANT) == Skipped("azure-cli", "az is not on the broker's PATH")


async def test_az_that_is_there_and_cannot_be_run_is_no_missing_az(tmp_path: Path) -> None:
    (tmp_path / "az").write_text("#!/opt/az/bin/python3\n")
    (tmp_path / "az").chmod(0o755)
    broken = AzureCli({"PATH": str(tmp_path)})

    assert broken.unavailable_reason() is None
    with pytest.raises(Refused, match="az cannot be run: its interpreter /opt/az/bin/python3 is missing"):
        await broken.bearer(TENANT)


async def test_a_failed_fork_is_no_missing_az(cli: AzureCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", no_more_processes)

    with pytest.raises(Unavailable, match=r"az could not be started: .* no more processes"):
        await cli.bearer(TENANT)


def test_an_environment_without_a_path_has_no_az() -> None:
    assert AzureCli({}).unavailable_reason() is not None


def test_marks_change_when_a_person_signs_in_or_out(cli: AzureCli, az: fake.AzureCli) -> None:
    seen = [cli.fingerprint()]
    az.sign_out()
    seen.append(cli.fingerprint())
    az.sign_in(PERSON, [TENANT])
    seen.append(cli.fingerprint())

    assert len(set(seen)) == 3
    assert cli.fingerprint() == seen[-1]


def test_marks_change_when_the_same_account_signs_in_again(cli: AzureCli, az: fake.AzureCli) -> None:
    before = cli.fingerprint()
    profile = az.config_dir / "azureProfile.json"
    profile.with_name("new").write_bytes(profile.read_bytes())
    profile.with_name("new").replace(profile)

    assert cli.fingerprint() != before


async def test_a_profile_that_our_own_call_wrote_again_is_no_news(cli: AzureCli, az: fake.AzureCli) -> None:
    az.behave(Conduct(touches_profile=True))
    profile = az.config_dir / "azureProfile.json"
    before, written = cli.fingerprint(), profile.stat().st_mtime_ns
    await cli.bearer(TENANT)

    assert profile.stat().st_mtime_ns != written
    assert cli.fingerprint() == before


async def test_a_sign_in_before_our_own_call_is_news_after_it(cli: AzureCli, az: fake.AzureCli) -> None:
    az.behave(Conduct(touches_profile=True))
    before = cli.fingerprint()
    az.sign_in("other", [TENANT])
    await cli.bearer(TENANT)

    assert cli.fingerprint() != before


async def test_a_provider_made_anew_sees_the_same_marks(cli: AzureCli, az: fake.AzureCli) -> None:
    await cli.bearer(TENANT)

    assert AzureCli(az.environment).fingerprint() == cli.fingerprint()


async def test_az_keeps_its_accounts_where_the_environment_says(az: fake.AzureCli, tmp_path: Path) -> None:
    az.sign_in("other", [TENANT], config_dir=tmp_path / "other")
    cli = AzureCli({**az.environment, "AZURE_CONFIG_DIR": str(tmp_path / "other")})

    bearer = await cli.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert bearer.account == "other"
