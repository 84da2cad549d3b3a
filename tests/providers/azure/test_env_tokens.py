from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.core.credential import Secret
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.env_tokens import EnvTokens
from broker.providers.azure.identities import Bearer, Skipped
from tests.providers.tokens import jwt

TENANT = "11111111-aaaa-bbbb-cccc-555555555555"
OTHER = "99999999-aaaa-bbbb-cccc-555555555555"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
ENTRA = jwt(tid=TENANT, upn="dev@acme.example", scp="user_impersonation", exp=EPOCH + 60)
APP = jwt(tid=TENANT, appid="a-pipeline", idtyp="app", exp=EPOCH + 60)
ENDED = jwt(tid=TENANT, upn="dev@acme.example", exp=EPOCH)
JOB = jwt(iss="app.vstoken.visualstudio.com", exp=EPOCH + 60)
PAT = "a" * 52


@pytest.fixture
def build_secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    return folder


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{PAT}-of-the-file\n")
    return file


@pytest.mark.parametrize(
    ("token", "kind", "account", "tenant"),
    [
        (ENTRA, "user", "dev@acme.example", TENANT),
        (APP, "app", "a-pipeline", TENANT),
        (JOB, "ready", None, None),
        (PAT, "ready", None, None),
    ],
)
async def test_a_token_is_what_it_says_it_is(
    token: str, kind: str, account: str | None, tenant: str | None, build_secrets: Path
) -> None:
    tokens = EnvTokens({"VSS_NUGET_ACCESSTOKEN": token}, lambda: NOW, build_secrets)

    bearer = await tokens.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert (bearer.token, bearer.kind, bearer.account, bearer.tenant) == (
        Secret(token),
        kind,
        account,
        tenant,
    )
    assert bearer.source == "env:VSS_NUGET_ACCESSTOKEN"
    assert (bearer.expires_at is None) is (token == PAT)


PLACES = [
    "env:ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE",
    "env:ARTIFACTS_KEYRING_NOFUSS_TOKEN",
    "env:VSS_NUGET_ACCESSTOKEN",
    "env:ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN",
    "file:ARTIFACTS_KEYRING_NOFUSS_TOKEN",
    "file:ado_token",
    "env:SYSTEM_ACCESSTOKEN",
]


@pytest.mark.parametrize("first", range(len(PLACES)))
async def test_of_several_places_the_first_counts(first: int, build_secrets: Path, token_file: Path) -> None:
    environ = {}
    for place in PLACES[first:]:
        kind, _, name = place.partition(":")
        if kind == "file":
            (build_secrets / name).write_text(f"{PAT}-of-{place}")
        else:
            environ[name] = str(token_file) if name.endswith("_FILE") else f"{PAT}-of-{place}"

    bearer = await EnvTokens(environ, lambda: NOW, build_secrets).bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert bearer.source.replace(f"{build_secrets}/", "") == PLACES[first]
    assert bearer.token.reveal() == (f"{PAT}-of-{PLACES[first]}" if first else f"{PAT}-of-the-file")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (ENDED, "its token ended at 2026-01-01T00:00:00Z"),
        (jwt(tid=OTHER, exp=EPOCH + 60), f"its token is of tenant {OTHER}"),
        ("s3cret\ns3cret", "not one line of printable ASCII"),
    ],
)
async def test_a_token_that_is_no_use_is_skipped_with_its_reason_and_the_next_is_taken(
    value: str, why: str, build_secrets: Path
) -> None:
    environ = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": value}
    tokens = EnvTokens(environ, lambda: NOW, build_secrets)

    skipped = await tokens.bearer(TENANT)
    environ["SYSTEM_ACCESSTOKEN"] = PAT
    taken = await tokens.bearer(TENANT)

    assert skipped == Skipped("env", f"env:ARTIFACTS_KEYRING_NOFUSS_TOKEN: {why}")
    assert isinstance(taken, Bearer)
    assert taken.token == Secret(PAT)


@pytest.mark.parametrize("tenant", ["acme.example", ORGANISATIONS])
async def test_a_tenant_without_an_id_cannot_be_compared(tenant: str, build_secrets: Path) -> None:
    tokens = EnvTokens({"VSS_NUGET_ACCESSTOKEN": ENTRA}, lambda: NOW, build_secrets)

    assert isinstance(await tokens.bearer(tenant), Bearer)


async def test_a_file_that_is_not_there_is_skipped_with_its_reason(build_secrets: Path) -> None:
    environ = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": "~/absent", "HOME": str(build_secrets)}
    tokens = EnvTokens(environ, lambda: NOW, build_secrets)

    assert tokens.unavailable_reason() is None
    assert await tokens.bearer(TENANT) == Skipped(
        "env", f"env:ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE: {build_secrets}/absent does not exist"
    )


@pytest.mark.parametrize("environ", [{}, {"VSS_NUGET_ACCESSTOKEN": " "}])
def test_without_a_token_this_way_is_closed(environ: dict[str, str], build_secrets: Path) -> None:
    tokens = EnvTokens(environ, lambda: NOW, build_secrets)

    assert tokens.unavailable_reason() == "no token variable, token file or build secret"


def test_marks_change_with_every_place(build_secrets: Path, token_file: Path) -> None:
    environ: dict[str, str] = {}
    tokens = EnvTokens(environ, lambda: NOW, build_secrets)

    seen = [tokens.fingerprint()]
    for name, value in (
        ("SYSTEM_ACCESSTOKEN", "a"),
        ("SYSTEM_ACCESSTOKEN", "b"),
        ("VSS_NUGET_ACCESSTOKEN", "a"),
    ):
        environ[name] = value
        seen.append(tokens.fingerprint())
    environ["ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"] = str(token_file)
    seen.append(tokens.fingerprint())
    token_file.write_text("another, longer")
    seen.append(tokens.fingerprint())
    (build_secrets / "ado_token").write_text("a")
    seen.append(tokens.fingerprint())

    assert len(set(seen)) == len(seen)
    assert tokens.fingerprint() == tokens.fingerprint()
    assert PAT not in repr(seen)
