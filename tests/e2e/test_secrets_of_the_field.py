"""Wrong, revoked, expired and replaced secrets of every kind of feed that has one, in all the places where
they can be; the keychain is in `test_keychain.py`.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

NEXUS = "https://nexus.example.org/repository/internal/simple/"
ARTIFACTORY = "https://artifactory.example.org/artifactory/api/pypi/internal/simple/"
ASSUMED = places.CODEARTIFACT.replace("my-team", "your-team")
INDEXES = {
    NEXUS: PackageIndex([PACKAGE, DEPENDENCY], root="/repository/internal/simple/", username="ci"),
    ARTIFACTORY: PackageIndex([PACKAGE, DEPENDENCY], root="/artifactory/api/pypi/internal/simple/"),
}
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
            + feed("static", places.CODEARTIFACT)
            + feed("assumed", ASSUMED, f'role = "{ROLE}"')
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
    told = Told(
        4, "sign-in-needed", "was used (each works once), has ended or was revoked", replacing=FILE_LINE
    )
    is_handed_out = False

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


class TestAssertionForCloudsmith(SecretContract):
    """An assertion that has expired is one that Cloudsmith does not know any longer."""

    name, url = "cloudsmith-job", places.CLOUDSMITH_JOB
    first, second, wrong = (tokens.sign({"sub": subject}) for subject in ("first", "second", "wrong"))
    told = Told(1, "refused", "Cloudsmith does not exchange this job's assertion (401)")
    is_handed_out = False

    def put(self, town: Town, secret: str) -> None:
        town.house.keep_secret("assertion", secret)

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.cloudsmith.tokens = set()
        town.field.cloudsmith.subjects = {
            str((tokens.read_claims(secret) or {})["sub"]) for secret in secrets
        }


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
        (town.house.home / ".aws" / "credentials").write_text(
            f"[default]\naws_access_key_id = {secret}\naws_secret_access_key = {SECRET_KEY}\n"
        )

    def admit(self, town: Town, *secrets: str) -> None:
        town.field.aws.keys = dict.fromkeys(secrets, "user")


@pytest.mark.long
class TestAccessKeyOfARole(TestAccessKey):
    name, url = "assumed", ASSUMED


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
    return [town.wire.look_up(kind.url, username="ci").json["password"] for kind in PLACES]


def test_secrets_that_were_replaced_while_they_worked_are_picked_up_by_a_reload(town: Town) -> None:
    rotate(town)

    assert town.wire.post("/v1/reload").status == 200

    until(lambda: answers(town) == [kind.second for kind in PLACES], "new secrets")


@pytest.mark.long
def test_secrets_that_were_replaced_while_they_worked_are_picked_up_by_themselves(town: Town) -> None:
    rotate(town)

    until(lambda: answers(town) == [kind.second for kind in PLACES], "new secrets", SWEEP_S)
