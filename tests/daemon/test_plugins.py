import logging
from pathlib import Path

import pytest

from broker.core.failures import Refused
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.daemon.plugins import with_plugins
from broker.host.http import Http
from broker.providers.basic import BasicProvider
from broker.providers.protocol import ProviderClass, ProviderContext, Tools
from broker.providers.recognise.services import realm_of
from tests.fake_clock import START

URL = parse_url("https://packages.example.com/simple/")

PROVIDER = """
from broker.core.credential import Credential, Secret
from broker.providers.protocol import Settings

class VaultSettings(Settings):
    path: str = "packages"

class VaultProvider:
    name = "vault"
    settings = VaultSettings

    def __init__(self, context):
        self.now = context.now

    def identity(self, settings):
        return "default"

    def kind(self, settings):
        return "token"

    def username(self, settings):
        return None

    async def obtain(self, feed, scope):
        return Credential("vault", Secret("from-the-vault"), None, "vault")

    def sign_in_fingerprint(self, feed):
        return "vault token 3"
"""

WRITTEN_BEFORE = (
    PROVIDER.replace("sign_in_fingerprint", "sign_in_marks")
    .replace("import Settings", "import Settings, Tools")
    .replace("(self, context)", "(self, context: Tools)")
)
"""A provider that uses the former names."""


class Installation:
    """A site directory. Calling it installs a distribution, as an installer leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, target: str, source: str) -> None:
        module = target.partition(":")[0]
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[token_broker.providers]\n{name} = {target}\n")


@pytest.fixture
def tools(tmp_path: Path) -> ProviderContext:
    """What a provider is made with; none of these asks for it."""
    return ProviderContext(Http(), {"HOME": str(tmp_path)}, lambda: START.wall)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A site directory of the test's own, on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    return Installation(tmp_path)


def named(providers: tuple[ProviderClass, ...], name: str) -> ProviderClass:
    return next(provider for provider in providers if provider.name == name)


async def test_an_installed_provider_obtains(install: Installation, tools: ProviderContext) -> None:
    install("vault", "fake_vault_one:VaultProvider", PROVIDER)

    provider = named(with_plugins([BasicProvider]), "vault")(tools)
    credential = await provider.obtain(Feed("corp", realm_of(URL, "vault"), (URL,)), READ)

    assert credential.secret.reveal() == "from-the-vault"


@pytest.mark.parametrize("source", [PROVIDER, WRITTEN_BEFORE], ids=["new names", "former names"])
def test_a_sign_in_is_noticed_by_the_new_name_and_by_the_former(
    source: str, install: Installation, tools: ProviderContext
) -> None:
    install("vault", f"fake_vault_named_{len(source)}:VaultProvider", source)

    provider = named(with_plugins([BasicProvider]), "vault")(tools)

    assert provider.sign_in_fingerprint(Feed("corp", realm_of(URL, "vault"), (URL,))) == "vault token 3"


SLOTTED = WRITTEN_BEFORE.replace("    name =", "    __slots__ = ('now', '__weakref__')\n    name =")


def test_a_provider_of_the_former_name_may_have_slots(install: Installation, tools: ProviderContext) -> None:
    install("vault", "fake_vault_slotted:VaultProvider", SLOTTED)

    provider = named(with_plugins([BasicProvider]), "vault")(tools)

    assert provider.sign_in_fingerprint(Feed("corp", realm_of(URL, "vault"), (URL,))) == "vault token 3"


def test_the_former_name_of_the_context_is_the_context() -> None:
    assert Tools is ProviderContext


BROKEN = {
    "does not import": ("vault", "import no_such_module\n"),
    "raises at import": ("vault", "raise SystemError('s3cret')\n"),
    "ends at import": ("vault", "import sys\nsys.exit('s3cret')\n"),
    "has no such class": ("vault", "Another = 1\n"),
    "is no provider": ("vault", "class VaultProvider:\n    name = 'vault'\n    settings = dict\n"),
    "has another name": ("other", PROVIDER),
}


@pytest.mark.parametrize(("name", "source"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_provider_is_a_warning_and_breaks_its_own_feeds_only(
    name: str, source: str, install: Installation, tools: ProviderContext, caplog: pytest.LogCaptureFixture
) -> None:
    install(name, f"fake_vault_{len(source)}:VaultProvider", source)

    guarded = named(with_plugins([BasicProvider]), name)
    feed = Feed("corp", realm_of(URL, name), (URL,), settings=guarded.settings.model_validate({"path": "a"}))

    (record,) = [record for record in caplog.records if record.name == "broker.plugins"]
    assert record.levelno == logging.WARNING
    assert f"name={name}" in record.getMessage()
    assert "s3cret" not in record.getMessage()
    with pytest.raises(Refused, match=f"the plug-in for provider {name} is broken"):
        await guarded(tools).obtain(feed, READ)


@pytest.mark.parametrize("damaged", [b"[console_scripts]\nno entry\n", b"\xff\xfe"])
def test_damaged_entry_points_of_another_distribution_are_a_warning_and_hide_no_provider(
    damaged: bytes, install: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    install("tool", "another_tool:main", "")
    (install.folder / "another_tool-1.0.dist-info" / "entry_points.txt").write_bytes(damaged)
    install("vault", f"fake_vault_beside_{len(damaged)}:VaultProvider", PROVIDER)

    assert named(with_plugins([BasicProvider]), "vault").name == "vault"
    assert "plugins_unread distribution=another_tool" in caplog.text


def test_a_name_of_ours_stays_ours(install: Installation, caplog: pytest.LogCaptureFixture) -> None:
    install("basic", "fake_vault_three:VaultProvider", PROVIDER)

    assert with_plugins([BasicProvider]) == (BasicProvider,)
    assert "there is a provider of this name already" in caplog.text


async def test_a_provider_that_cannot_be_made_breaks_its_own_feeds_only(
    install: Installation, tools: ProviderContext
) -> None:
    source = PROVIDER.replace("self.now = context.now", "raise KeyError('s3cret')")
    install("vault", "fake_vault_two:VaultProvider", source)

    provider = named(with_plugins([BasicProvider]), "vault")(tools)

    with pytest.raises(Refused, match="the plug-in for provider vault is broken"):
        await provider.obtain(Feed("corp", realm_of(URL, "vault"), (URL,)), READ)
