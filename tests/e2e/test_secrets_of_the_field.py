"""Wrong, revoked, expired and replaced secrets of every kind of feed that has one, in all the places where
they can be; the keychain is in `test_keychain.py`.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.contract.secret_contract import SecretContract, Told
from tests.e2e import field as places
from tests.e2e.household import DEPENDENCY, PACKAGE, PLAIN_FEED, feed
from tests.e2e.patience import until
from tests.e2e.town import Town
from tests.e2e.town import town as new_town
from tests.fakes import tokens
from tests.fakes.aws import ROLE, SECRET_KEY
from tests.fakes.gitlab import Token
from tests.fakes.google import ROBOT
from tests.fakes.index import PackageIndex
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.artifactory import Artifactory
    from tests.fakes.clients import Outcome
    from tests.fakes.cloudsmith import Cloudsmith

pytestmark = pytest.mark.e2e

NEXUS = "https://nexus.example.org/repository/internal/simple/"
ARTIFACTORY = "https://artifactory.example.org/artifactory/api/pypi/internal/simple/"
JFROG_TOKEN = "https://token.jfrog.io/artifactory/api/pypi/internal/simple/"
ASSUMED = places.CODEARTIFACT.replace("my-team", "your-team")
INDEXES = {
    NEXUS: PackageIndex([PACKAGE, DEPENDENCY], root="/repository/internal/simple/", username="ci"),
    ARTIFACTORY: PackageIndex([PACKAGE, DEPENDENCY], root="/artifactory/api/pypi/internal/simple/"),
    JFROG_TOKEN: PackageIndex([PACKAGE, DEPENDENCY], root="/artifactory/api/pypi/internal/simple/"),
}
AWS_FEEDS = feed("static", places.CODEARTIFACT) + feed("assumed", ASSUMED, f'role = "{ROLE}"')
FILE_LINE = r"sh -c 'umask 077; mkdir -p \S+; cat > \S+'"
EXPLAIN = r"brokerctl explain https://\S+"

REFUSED = "the feed does not accept the credential"
SWEEP_S = 45.0
"""The daemon looks at the places of its secrets every 30 s."""


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with new_town() as made:
        for url, index in INDEXES.items():
            made.house.proxy.route(url.split("/")[2], index)
        made.house.configure(
            made.house.config.read_text()
            + made.house.plain_feed()
            + feed("pair", NEXUS, 'provider = "nexus"\nsecret = "netrc"')
            + feed("identity", ARTIFACTORY, 'provider = "artifactory"\nsecret = "env:IDENTITY_TOKEN"')
            + feed(
                "jfrog-token",
                JFROG_TOKEN,
                f'provider = "artifactory"\nsecret = "{made.house.keep_secret("jfrog-token", "none")}"',
            )
        )
        assert made.wire.post("/v1/reload").status == 200
        yield made


class TestPassword(SecretContract):
    name, url = "plain", PLAIN_FEED
    told = Told(1, "refused", f"{REFUSED} of ci (401): put another into file:", replacing=FILE_LINE)

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("plain.secret", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.house.packages.passwords = set(secrets)


class TestUserTokenInNetrc(SecretContract):
    name, url = "pair", NEXUS
    told = Told(1, "refused", f"{REFUSED} (401): put another into netrc", replacing=EXPLAIN)

    def put(self, town: Town, secret: str) -> None:
        netrc = town.house.home / "netrc-of-the-daemon"
        netrc.write_text(f"machine nexus.example.org login ci password {secret}\n")

    def admit(self, town: Town, *secrets: str) -> None:
        assert town
        INDEXES[NEXUS].passwords = set(secrets)


class TestIdentityTokenInEnvToml(SecretContract):
    name, url = "identity", ARTIFACTORY
    told = Told(1, "refused", f"{REFUSED} (401): put another into env:IDENTITY_TOKEN", replacing=EXPLAIN)

    def put(self, town: Town, secret: str) -> None:
        town.house.config.with_name("env.toml").write_text(f'[env]\nIDENTITY_TOKEN = "{secret}"\n')
        assert town.wire.post("/v1/reload").status == 200

    def admit(self, town: Town, *secrets: str) -> None:
        assert town
        INDEXES[ARTIFACTORY].passwords = set(secrets)


class TestRefreshToken(SecretContract):
    name, url = "artifactory", places.ARTIFACTORY
    package, asker = "demo-package>=2", "dev@"

    told = Told(
        4, "sign-in-needed", "was used (each works once), has ended or was revoked", replacing=FILE_LINE
    )
    is_handed_out = False

    @classmethod
    def anew(cls) -> SecretContract:
        unseen = {"first": tokens.unlike(), "second": tokens.unlike()}
        made: SecretContract = type(cls.__name__, (cls,), unseen)()
        return made

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("refresh", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.artifactory.refresh_tokens = set(secrets)


class TestCloudsmithKey(SecretContract):
    name, url = "cloudsmith", places.CLOUDSMITH
    told = Told(1, "refused", f"{REFUSED} (401): put another into file:", replacing=FILE_LINE)

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("cloudsmith", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.cloudsmith.keys = set(secrets)


class AssertionContract(SecretContract):
    """A job's assertion, which a service exchanges for a token of its own."""

    first, second, wrong = (tokens.sign({"sub": subject}) for subject in ("first", "second", "wrong"))
    is_handed_out = False
    file: ClassVar[str]

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret(self.file, secret)

    def service(self, town: Town) -> Cloudsmith | Artifactory:
        """The one that exchanges it."""
        raise NotImplementedError

    def admit(self, town: Town, *secrets: str) -> None:
        subjects = {str((tokens.read_claims(secret) or {})["sub"]) for secret in secrets}
        self.service(town).subjects = subjects

    def expire(self, town: Town) -> None:
        self.put(town, tokens.sign({"sub": "first", "exp": 1}))


class TestAssertionForCloudsmith(AssertionContract):
    name, url, file = "cloudsmith-job", places.CLOUDSMITH_JOB, "assertion"
    told = Told(1, "refused", "Cloudsmith does not exchange this job's assertion (401)")

    def service(self, town: Town) -> Cloudsmith:
        return town.field.cloudsmith


class TestAssertionForJFrog(AssertionContract):
    name, url, file = "jfrog-job", places.JFROG_JOB, "jfrog-assertion"
    told = Told(1, "refused", "jobs.jfrog.io does not exchange this job's assertion (status 401)")

    def service(self, town: Town) -> Artifactory:
        return town.field.jobs


class TestRoleForJFrog(SecretContract):
    """A key of AWS, whose role a user of JFrog's has."""

    name, url = "jfrog-aws", places.JFROG_AWS
    first, second, wrong = "AKIAFIRSTFIRSTFIRST1", "AKIASECONDSECONDSEC2", "AKIAWRONGWRONGWRONG3"
    told = Told(1, "refused", "roles.jfrog.io does not exchange this machine's AWS role (status 401)")
    is_handed_out = False

    def put(self, town: Town, secret: str) -> None:
        put_aws_key(town, secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.roles.roles = set(secrets)


class TestAccessTokenOfJFrog(SecretContract):
    """One that says its end itself, as those that a user makes for a year do."""

    name, url = "jfrog-token", JFROG_TOKEN
    first, second, wrong = (
        tokens.sign({"sub": f"jfac@01/users/{user}", "exp": 7258118400})
        for user in ("first", "second", "wrong")
    )
    told = Told(1, "refused", f"{REFUSED} (401): put another into file:", replacing=FILE_LINE)

    told_of_end = Told(
        4, "sign-in-needed", "ended on 1970-01-01: put another into file:", replacing=FILE_LINE
    )

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("jfrog-token", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        assert town
        INDEXES[JFROG_TOKEN].passwords = set(secrets)

    def expire(self, town: Town) -> None:
        self.put(town, tokens.sign({"sub": "jfac@01/users/first", "exp": 1}))


class TestSignInOfTheJFrogCli(SecretContract):
    name, url = "jfrog-cli", places.JFROG_CLI
    told = Told(
        4, "sign-in-needed", "the sign-in of jf at acme has ended or was revoked", "jf config edit acme"
    )
    is_handed_out = False

    def put(self, town: Town, secret: str) -> None:
        places.keep_jf_sign_in(town.house, secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.jfrog.sign_ins = set(secrets)


class TestClientSecret(SecretContract):
    name, url = "oauth2", places.OAUTH2
    told = Told(
        1, "refused", "login.example.com does not take the client's secret from file:", replacing=FILE_LINE
    )
    is_handed_out = False

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("client", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.endpoint.clients = dict(zip(["packages"], secrets, strict=False))


class TestPersonalAccessToken(SecretContract):
    name, url = "gitlab", places.GITLAB
    first, second, wrong = "glpat-the-first-one", "glpat-the-second-one", "glpat-the-wrong-one"
    told = Told(
        4,
        "sign-in-needed",
        "has expired or was revoked: make another at https://git.example.com/-/",
        replacing=FILE_LINE,
    )

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("gitlab", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.gitlab.tokens = {secret: Token() for secret in secrets}

    def test_expired_token_is_told_and_not_handed_out(self, town: Town) -> None:
        town.field.gitlab.tokens = {self.first: Token(active=False, expires_at="2026-01-01")}
        self.begin_with(town, self.first)
        self.wait_for(town, self.told.state)

        got = town.ask("get", self.url)

        assert (got.exit_code, got.stdout) == (self.told.exit_code, "")
        assert self.told.words in got.stderr


@pytest.mark.long
class TestDeployToken(TestPersonalAccessToken):
    """Of which GitLab's API says nothing: the feed's own word is all there is."""

    first, second, wrong = SecretContract.first, SecretContract.second, SecretContract.wrong
    made_anew = f"{REFUSED} (401): make another at https://git.example.com/-/"
    told = Told(1, "refused", made_anew, replacing=FILE_LINE)


def put_aws_key(town: Town, key_id: str) -> None:
    """Write the key of the user's default profile."""
    (town.house.home / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {SECRET_KEY}\n"
    )


def key(number: int) -> str:
    content = {"type": "service_account", "client_email": ROBOT, "private_key_id": f"number {number}"}
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.long
class TestServiceAccountKey(SecretContract):
    name, url = "google-key", places.GOOGLE_KEY
    first, second, wrong = key(1), key(2), key(3)
    told = Told(1, "refused", f"{REFUSED} of {ROBOT} (401): put another into file:", replacing=FILE_LINE)

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("key", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.key = secrets[0] if secrets else ""


@pytest.mark.long
class TestAccessKey(SecretContract):
    name, url = "static", places.CODEARTIFACT
    first, second, wrong = "AKIAFIRSTFIRSTFIRST1", "AKIASECONDSECONDSEC2", "AKIAWRONGWRONGWRONG3"
    told = Told(4, "sign-in-needed", "AWS does not know the access key", "aws configure")
    is_handed_out = False

    def put(self, town: Town, secret: str) -> None:
        put_aws_key(town, secret)
        written = town.house.config.read_text()
        if AWS_FEEDS not in written:  # each reload costs a second of processor time for each of them
            town.house.configure(written + AWS_FEEDS)
            assert town.wire.post("/v1/reload").status == 200

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.aws.keys = dict.fromkeys(secrets, "user")


@pytest.mark.long
class TestAccessKeyOfARole(TestAccessKey):
    name, url = "assumed", ASSUMED


KINDS: tuple[type[SecretContract], ...] = (
    *(TestCloudsmithKey, TestAssertionForCloudsmith),
    *(TestSignInOfTheJFrogCli, TestRoleForJFrog, TestAssertionForJFrog, TestAccessTokenOfJFrog),
    *(TestRefreshToken, TestIdentityTokenInEnvToml, TestPassword, TestUserTokenInNetrc, TestClientSecret),
    *(TestPersonalAccessToken, TestServiceAccountKey, TestAccessKey),
)
FATES = ("wrong", "expired", "revoked", "rotated")


def install(town: Town, client: str, way: SecretContract, into: Path) -> Outcome:
    """Have the real client install from the feed, whose user name the shim says to uv as to pip."""
    if client == "pip":
        url = way.url.replace("https://", f"https://{way.asker}")
        chosen = ("--no-cache-dir", "--target", into, "--index-url", url)
        return town.house.pip("install", *chosen, way.package)
    settings = into.with_suffix(".toml")
    settings.write_text(
        f'[[index]]\nname = "corp"\nurl = "{way.url}"\ndefault = true\nauthenticate = "always"\n'
    )
    return town.house.uv_pip(
        "install", "--no-cache", "--config-file", settings, "--target", into, way.package
    )


@pytest.mark.parametrize(
    ("kind", "fate", "client"),
    sampled(
        {
            f"{kind.__name__.removeprefix('Test')}, {fate}, {client}": (kind, fate, client)
            for kind in KINDS
            for fate in FATES
            for client in ("uv", "pip")
        },
        always=(
            *("CloudsmithKey, revoked, uv", "AccessTokenOfJFrog, expired, uv"),
            *("RoleForJFrog, rotated, uv", "RoleForJFrog, wrong, uv"),
        ),
    ),
)
def test_real_clients_install_with_a_secret_that_is_good_and_fail_with_one_that_is_not(
    kind: type[SecretContract], fate: str, client: str, town: Town, tmp_path: Path
) -> None:
    way, works = kind.anew(), fate == "rotated"
    told = (way.told_of_end if fate == "expired" else None) or way.told
    if fate in {"expired", "revoked"}:
        way.admit(town, way.first)
        way.begin_with(town, way.first)
        way.wait_for(town, "fresh")
        assert install(town, client, way, tmp_path / "before").exit_code == 0
        way.expire(town) if fate == "expired" else way.admit(town)
        way.ask_anew(town)
    else:
        way.admit(town, way.second if works else way.first)
        way.begin_with(town, way.wrong)
    way.wait_for(town, told.state)
    if works:
        way.put(town, way.second)

    done = install(town, client, way, tmp_path / "after")

    feed = town.wire.feed(way.name)
    assert (done.exit_code == 0, (tmp_path / "after" / "demo_package.py").exists()) == (works, works)
    assert not [secret for secret in (way.first, way.second, way.wrong) if secret in done.text]
    assert feed["usable"] is works
    assert works or (told.words in feed["error"] and told.has(feed["hint"]))


PLACES = (TestPassword, TestUserTokenInNetrc, TestIdentityTokenInEnvToml)


def rotate(town: Town) -> None:
    """From working secrets in hand, replace each in its place: in a file, in netrc, in env.toml."""
    for kind in (place() for place in PLACES):
        kind.admit(town, kind.first, kind.second)
        kind.begin_with(town, kind.first)
        kind.wait_for(town, "fresh")
    for kind in (place() for place in PLACES):
        kind.put(town, kind.second)


def answers(town: Town) -> list[str]:
    return [town.wire.look_up(kind.url, username="ci").password for kind in PLACES]


def test_secrets_that_were_replaced_while_they_worked_are_picked_up_by_a_reload(town: Town) -> None:
    rotate(town)

    assert town.wire.post("/v1/reload").status == 200

    until(lambda: answers(town) == [kind.second for kind in PLACES], "new secrets")


@pytest.mark.long
def test_secrets_that_were_replaced_while_they_worked_are_picked_up_by_themselves(town: Town) -> None:
    rotate(town)

    until(lambda: answers(town) == [kind.second for kind in PLACES], "new secrets", SWEEP_S)
