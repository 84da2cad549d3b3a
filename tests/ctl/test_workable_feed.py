"""`brokerctl add` says yes only to what can work: the providers are asked before the file is written."""

from __future__ import annotations

import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from broker.ctl.add import workable_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
SERVER = "https://tfs.example.com/DefaultCollection/_packaging/corp/pypi/simple/"
ENDPOINT = "https://vpce-0a1b-abcd.d.codeartifact.eu-west-1.vpce.amazonaws.com/d/acme/pypi/corp/simple/"
AWS = "https://acme-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/"
GOOGLE = "https://europe-python.pkg.dev/acme/corp/simple/"
CLOUDSMITH = "https://dl.cloudsmith.io/basic/acme/corp/python/simple/"
OWN = "https://packages.example.com/simple/"
ARTIFACTORY = "https://artifactory.example.com/artifactory/api/pypi/internal/simple/"
real_answer_to = workable_feed.answer_to


@pytest.fixture
def file(room: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration will be, on a machine without tokens in its environment."""
    for name in (
        "GITLAB_CI",
        "CLOUDSMITH_API_KEY",
        "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
        "SYSTEM_ACCESSTOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return room / ".config/token-broker/config.toml"


REFUSED = {
    "azure-unknown-auth": ((AZURE, 'auth=["azure-cly"]'), "there is no sign-in 'azure-cly'"),
    "azure-auth-without-secret": ((AZURE, 'auth=["pat"]'), "pat in auth needs secret"),
    "azure-key-for-nobody": ((AZURE, 'auth=["azure-cli"]', "--secret", "env:X"), "secret is for"),
    "azure-no-tenant": ((AZURE, "--tenant", "not a tenant"), "a tenant is written as"),
    "azure-unknown-key": ((AZURE, "tenannt=x"), "unknown key tenannt, did you mean tenant?"),
    "azure-on-premises": ((SERVER, "--provider", "azure"), "is not Azure DevOps Services: write secret"),
    "google-two-identities": ((GOOGLE, "account=a@b.c", "credentials=/k.json"), "write one of them"),
    "google-key-for-nobody": ((GOOGLE, "secret=env:X", "account=a@b.c"), "leave out credentials"),
    "codeartifact-endpoint": (
        (ENDPOINT, "--provider", "codeartifact"),
        "does not name a CodeArtifact domain",
    ),
    "codeartifact-elsewhere": ((OWN, "--provider", "codeartifact"), "does not name a CodeArtifact domain"),
    "codeartifact-half": ((ENDPOINT, "--provider", "codeartifact", "domain=acme"), "belong together"),
    "codeartifact-duration": ((AWS, "duration=1m"), "a token lives from"),
    "cloudsmith-without-owner": (
        (OWN, "--provider", "cloudsmith", "service=robot"),
        "does not name Cloudsmith's owner",
    ),
    "artifactory-two-ways": ((ARTIFACTORY, "jf=work", "--secret", "env:X"), "leave out secret"),
    "gitlab-unknown-key": (
        ("https://gitlab.com/api/v4/groups/7/-/packages/pypi/simple/", "--secret", "env:X", "usrname=x"),
        "unknown key usrname",
    ),
    "nexus-key": (
        ("https://n.example.com/repository/x/simple/", "--username", "u", "--secret", "env:X", "scope=x"),
        "unknown key scope",
    ),
    "oauth2-endpoint": (
        (OWN, "--provider", "oauth2", "token_endpoint=http://x.example.com/", "client_id=a", "secret=env:X"),
        "token_endpoint",
    ),
    "basic-username": ((OWN, "--username", "j\u00fcrgen", "--secret", "env:X"), "username"),
    "command-nothing": ((OWN, "--provider", "command", "command=[]"), "command"),
    "no-name": ((OWN, "--secret", "netrc", "--name", "a b"), "token-broker: name: write letters"),
    "also-without-scheme": (
        (OWN, "--secret", "netrc", "--also", "x"),
        "token-broker: also: this is a host, not a URL: write https:// before it",
    ),
    "no-provider": ((OWN, "--provider", "azuer"), "there is no provider azuer"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_the_provider_refuses_is_not_written(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...], said: str
) -> None:
    ended = brokerctl("add", *words)

    assert ended.exit_code == 1
    assert said in ended.stderr
    assert "(nothing was written)" in ended.stderr
    assert ", line " not in ended.stderr
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ((SERVER, "--provider", "azure"), {}),
        ((SERVER, "--provider", "azure", "--also", "https://tfs/x/"), {}),
        ((ENDPOINT, "--provider", "codeartifact"), {"DOMAIN": "acme", "OWNER": "123456789012"}),
        (
            (OWN, "--provider", "codeartifact", 'profile="a b"'),
            {"DOMAIN": "acme", "OWNER": "123456789012", "REGION": "eu-west-1"},
        ),
        ((OWN, "--provider", "cloudsmith", "service=robot"), {"OWNER": "acme"}),
    ],
)
def test_line_that_is_told_adds_the_feed(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...], values: dict[str, str]
) -> None:
    refused = brokerctl("add", *words)
    line = refused.stderr.strip().rpartition("run: ")[2]
    for placeholder, value in values.items():
        line = line.replace(f"={placeholder}", f"={value}")

    ended = brokerctl(*shlex.split(line)[1:])

    assert ended.exit_code == 0, (line, ended.stderr)
    [feed] = tomllib.loads(file.read_text())["feed"]
    assert feed["url"] == words[0]


def test_fault_in_another_feed_is_told_with_its_place(brokerctl: Brokerctl, file: Path) -> None:
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text(f'[[feed]]\nurl = "{GOOGLE}"\nacount = "a@b.c"\n')
    file.chmod(0o600)

    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 1
    assert "config.toml, line 3: unknown key acount" in ended.stderr


@pytest.mark.usefixtures("file")
def test_child_program_says_the_same(brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workable_feed, "answer_to", real_answer_to)

    refused = brokerctl("add", SERVER, "--provider", "azure")
    added = brokerctl("add", AZURE)

    assert "is not Azure DevOps Services" in refused.stderr
    assert added.exit_code == 0, added.stderr


def test_child_that_says_nothing_adds_nothing(
    brokerctl: Brokerctl, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workable_feed, "answer_to", real_answer_to)
    monkeypatch.setattr(workable_feed, "CHECK", "broker.no_such_module")

    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 1
    assert "cannot be asked about the feed" in ended.stderr
    assert not file.exists()
