"""The feeds of the field behind one household's proxy, each with its fake service, and how a user has signed
in to each. Next: `test_feeds_of_the_field.py`, which installs from all of them.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.e2e.household import DEPENDENCY, PACKAGE, feed
from tests.fakes import tokens
from tests.fakes.artifactory import PROVIDER, Artifactory
from tests.fakes.aws import KEY_ID, Aws, Home
from tests.fakes.cloudsmith import API_HOST, SERVICE, Cloudsmith
from tests.fakes.gitlab import GitLab, Token
from tests.fakes.google import USER, Files, Google, service_account_key
from tests.fakes.registry import Registry
from tests.fakes.token_endpoint import TokenEndpoint
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.household import Household
    from tests.fakes.http1 import Answer, Request

WHEELS = (PACKAGE, DEPENDENCY)
PRIVATE = wheel("demo-package", "2.0", requires=("demo-dependency",))
"""Newer than what the public may see (astral-sh/uv#3923)."""

GITLAB_TOKEN = "glpat-of-the-user"
NAME_CODE, PASS_CODE = "name-code", "pass-code"
CLOUDSMITH_KEY = "the-users-cloudsmith-key"
JF_SIGN_IN = "what-jf-login-kept"
JOB_ASSERTION = tokens.sign({"sub": "repo:acme/tools"})
CLIENT_SECRET = "the-clients-secret"
PRINTED = {
    "Version": 1,
    "AccessKeyId": "robot",
    "SecretAccessKey": "what-the-program-says",
    "Expiration": "2199-12-31T00:00:00Z",
}

GOOGLE = "https://europe-west1-python.pkg.dev/acme-project/corp/simple/"
GOOGLE_KEY = "https://us-python.pkg.dev/acme-project/keys/simple/"
CODEARTIFACT = "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/"
GITLAB = "https://git.example.com/api/v4/groups/acme/-/packages/pypi/simple/"
ARTIFACTORY = "https://artifactory.example.com/artifactory/api/pypi/internal/simple/"
CLOUDSMITH = "https://dl.cloudsmith.io/basic/acme/corp/python/simple/"
CLOUDSMITH_JOB = "https://dl.cloudsmith.io/basic/acme/jobs/python/simple/"
JFROG_CLI = "https://acme.jfrog.io/artifactory/api/pypi/internal/simple/"
JFROG_AWS = "https://roles.jfrog.io/artifactory/api/pypi/internal/simple/"
"""Its token is for a role of AWS."""

JFROG_JOB = "https://jobs.jfrog.io/artifactory/api/pypi/internal/simple/"
"""Its token is for a job's assertion."""

NEXUS = "https://nexus.example.com/repository/internal/simple/"
OAUTH2 = "https://registry.example.com/simple/"
COMMAND = "https://tool.example.com/pypi/simple/"
"""Its token is what a program prints, in the form of AWS's credential_process."""

UPLOADS = {
    "google": "https://europe-west1-python.pkg.dev/acme-project/corp/",
    "google-key": "https://us-python.pkg.dev/acme-project/keys/",
    "codeartifact": "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/",
    "gitlab": "https://git.example.com/api/v4/projects/42/packages/pypi",
    "artifactory": "https://artifactory.example.com/artifactory/api/pypi/internal",
    "nexus": "https://nexus.example.com/repository/internal/",
    "oauth2": "https://registry.example.com/legacy/",
    "cloudsmith": "https://python.cloudsmith.io/acme/corp/",
}
"""Where each service takes packages in, as its own documentation has a user write it."""

_TELLING_PREFIXES = ("AWS_", "GOOGLE_", "GCE_", "CLOUDSDK_", "GITLAB_", "CI_")
"""Variables of this machine that would tell an SDK what to do."""


@dataclass
class Field:
    """Everything that hangs behind the proxy; `stores` have the packages of each feed, by its name."""

    google: Google
    aws: Aws
    gitlab: GitLab
    artifactory: Artifactory
    endpoint: TokenEndpoint
    cloudsmith: Cloudsmith
    jfrog: Artifactory
    roles: Artifactory
    jobs: Artifactory
    key: str
    stores: dict[str, Registry | GitLab]


def settle(house: Household) -> Field:
    """Attach every service to the house's proxy, sign its user in to each, and configure the feeds.

    CodeArtifact needs no configuration: its host names the provider.
    """
    field = Field(
        Google(),
        Aws(),
        GitLab(WHEELS),
        Artifactory(),
        TokenEndpoint(),
        Cloudsmith(),
        Artifactory(),
        Artifactory(),
        Artifactory(),
        _key(),
        {},
    )
    _attach(house, field)
    Files(house.home).user()
    Home(house.home).key()
    for name in [name for name in house.environment if name.startswith(_TELLING_PREFIXES)]:
        del house.environment[name]
    house.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    field.gitlab.tokens[GITLAB_TOKEN] = Token(name="laptop", expires_at="2199-12-31", writes=True)
    field.artifactory.refresh_tokens.add("the-first-refresh-token")
    field.endpoint.clients["packages"] = CLIENT_SECRET
    field.cloudsmith.keys.add(CLOUDSMITH_KEY)
    field.jfrog.sign_ins.add(JF_SIGN_IN)
    field.roles.roles.add(KEY_ID)
    _install_jf(house)
    netrc = house.home / "netrc-of-the-daemon"  # not ~/.netrc, which uv and pip would read themselves
    netrc.touch(mode=0o600)
    netrc.write_text(f"machine nexus.example.com login {NAME_CODE} password {PASS_CODE}\n")
    access = house.keep_secret("access", "the-first-access-token")
    refresh = house.keep_secret("refresh", "the-first-refresh-token")
    client = "token_endpoint = 'https://login.example.com/token'\nclient_id = 'packages'"
    client += f"\nalso = ['{UPLOADS['oauth2']}']"  # which no convention tells
    house.configure(
        f"[env]\nNETRC = '{netrc}'\n\n"
        + feed("google", GOOGLE)
        + feed("google-key", GOOGLE_KEY, f'secret = "{house.keep_secret("key", field.key)}"')
        + feed(
            "gitlab",
            GITLAB,
            f'provider = "gitlab"\nsecret = "{house.keep_secret("gitlab", GITLAB_TOKEN)}"',
        )
        + feed(
            "artifactory",
            ARTIFACTORY,
            f'provider = "artifactory"\nsecret = "{access}"\nrefresh = "{refresh}"',
        )
        + feed("cloudsmith", CLOUDSMITH, f'secret = "{house.keep_secret("cloudsmith", CLOUDSMITH_KEY)}"')
        + feed(
            "cloudsmith-job",
            CLOUDSMITH_JOB,
            f'service = "{SERVICE}"\nsecret = "{house.keep_secret("assertion", JOB_ASSERTION)}"',
        )
        + feed("jfrog-cli", JFROG_CLI, 'provider = "artifactory"\njf = "acme"')
        + feed("jfrog-aws", JFROG_AWS, 'provider = "artifactory"\naws = "eu-west-1"')
        + feed(
            "jfrog-job",
            JFROG_JOB,
            f'provider = "artifactory"\noidc = "{PROVIDER}"\n'
            f'secret = "{house.keep_secret("jfrog-assertion", JOB_ASSERTION)}"',
        )
        + feed("nexus", NEXUS, 'provider = "nexus"\nsecret = "netrc"')
        + feed(
            "oauth2",
            OAUTH2,
            f'provider = "oauth2"\n{client}\nsecret = "{house.keep_secret("client", CLIENT_SECRET)}"',
        )
        + feed(
            "command",
            COMMAND,
            f"provider = \"command\"\ncommand = ['echo', '{json.dumps(PRINTED)}']\n"
            "also = ['https://tool.example.com/pypi/files/']",
        )
    )
    return field


def _attach(house: Household, field: Field) -> None:
    proxy = house.proxy
    field.google.attach(proxy)
    field.aws.attach(proxy)
    proxy.route("git.example.com", field.gitlab)
    proxy.route("login.example.com", field.endpoint)
    printed = (PRINTED["AccessKeyId"], PRINTED["SecretAccessKey"])
    proxy.route(
        "tool.example.com",
        Registry(WHEELS, root="/pypi/simple/", files="/pypi/files/", opens=lambda *pair: pair == printed),
    )
    field.stores["gitlab"] = field.gitlab
    proxy.route(API_HOST, field.cloudsmith)
    jobs = Registry(
        WHEELS,
        root="/basic/acme/jobs/python/simple/",
        files="/basic/acme/jobs/python/",
        opens=field.cloudsmith.opens,
    )
    for url, platform in ((JFROG_CLI, field.jfrog), (JFROG_AWS, field.roles), (JFROG_JOB, field.jobs)):
        proxy.route(urlsplit(url).hostname or "", _platform(platform))
    proxy.route(
        "dl.cloudsmith.io",
        lambda one: (jobs if "/acme/jobs/" in one.path else field.stores["cloudsmith"])(one),
    )
    for name, registry in _registries(field).items():
        field.stores[name] = registry
        proxy.route(urlsplit(UPLOADS[name]).hostname or "", registry)
    proxy.route(
        "artifactory.example.com",
        lambda request: (
            field.artifactory if request.path.startswith("/access/") else field.stores["artifactory"]
        )(request),
    )


def _platform(service: Artifactory) -> Callable[[Request], Answer]:
    """A platform of JFrog's: its Access service, and a registry that takes the tokens given there."""
    internal = Registry(
        WHEELS,
        root="/artifactory/api/pypi/internal/simple/",
        files="/artifactory/api/pypi/internal/packages/",
        opens=lambda _, password: password in service.packages.passwords,
    )
    return lambda request: (service if request.path.startswith("/access/") else internal)(request)


def _registries(field: Field) -> dict[str, Registry]:
    return {
        "google": Registry(
            WHEELS,
            root="/acme-project/corp/simple/",
            files="/acme-project/corp/",
            upload="/acme-project/corp/",
            opens=lambda _, password: field.google.tokens.get(password) == USER,
        ),
        "google-key": Registry(
            WHEELS,
            root="/acme-project/keys/simple/",
            files="/acme-project/keys/",
            upload="/acme-project/keys/",
            opens=lambda *pair: pair == ("_json_key_base64", field.key),
        ),
        "codeartifact": Registry(
            WHEELS,
            root="/pypi/corp/simple/",
            files="/pypi/corp/simple/",
            upload="/pypi/corp/",
            opens=lambda _, password: password in field.aws.tokens,
        ),
        "artifactory": Registry(
            (*WHEELS, PRIVATE),
            root="/artifactory/api/pypi/internal/simple/",
            files="/artifactory/api/pypi/internal/packages/",
            upload="/artifactory/api/pypi/internal/",
            opens=lambda _, password: password in field.artifactory.packages.passwords,
            public=WHEELS,
        ),
        "cloudsmith": Registry(
            WHEELS,
            root="/basic/acme/corp/python/simple/",
            files="/basic/acme/corp/python/",
            upload="/acme/corp/",
            opens=field.cloudsmith.opens,
        ),
        "nexus": Registry(
            WHEELS,
            root="/repository/internal/simple/",
            files="/repository/internal/packages/",
            upload="/repository/internal/",
            opens=lambda *pair: pair == (NAME_CODE, PASS_CODE),
        ),
        "oauth2": Registry(
            WHEELS,
            root="/simple/",
            files="/files/",
            upload="/legacy/",
            opens=lambda _, password: password in field.endpoint.tokens,
        ),
    }


def _install_jf(house: Household) -> None:
    """A `jf` that asks its server for a token with what it keeps in its folder, as `jf atc` does."""
    (house.home / ".jfrog").mkdir()
    keep_jf_sign_in(house, JF_SIGN_IN)
    program = house.bin / "jf"
    program.write_text(f"#!{sys.executable} -IS\n{JF}")
    program.chmod(0o755)


def keep_jf_sign_in(house: Household, secret: str) -> None:
    """Write what `jf login` would."""
    server = {"serverId": "acme", "url": "https://acme.jfrog.io/", "accessToken": secret}
    (house.home / ".jfrog" / "jfrog-cli.conf.v6").write_text(
        json.dumps({"servers": [server], "version": "6"})
    )


JF = """
import json, os, sys, urllib.error, urllib.request
kept = os.path.join(os.environ["HOME"], ".jfrog", "jfrog-cli.conf.v6")
[server] = json.load(open(kept))["servers"]
assert sys.argv[1:] == ["atc", "--server-id=acme", "--expiry=3600"], sys.argv
headers = {"Authorization": "Bearer " + server["accessToken"]}
request = urllib.request.Request(server["url"] + "access/api/v1/tokens", b"expires_in=3600", headers)
try:
    print(json.dumps(json.load(urllib.request.urlopen(request)), indent=2))
except urllib.error.HTTPError as error:
    sys.exit(f"[Error] server response: {error.code} {error.reason}")
"""


def _key() -> str:
    """A service account's key in base64 that ends in `==` (astral-sh/uv#2822)."""
    content = json.dumps(service_account_key())
    content += " " * (-(len(content) + 2) % 3)
    return base64.b64encode(content.encode()).decode()
