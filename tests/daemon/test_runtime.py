"""A configuration in force: how it starts, how the next one takes its place, what a broken one does."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from broker.api.backend import About, status_of
from broker.config.files import ConfigFiles
from broker.core.access import HOUSE
from broker.core.failures import BadConfiguration, BadRequest, SignInNeeded
from broker.core.feeds import Match
from broker.core.login_progress import LoginMethod
from broker.core.urls import parse_url
from broker.core.why_not import Topic
from broker.daemon.main import PROVIDERS
from broker.daemon.runtime import Runtime
from broker.daemon.why_not_recorder import WhyNotRecorder
from broker.host.clock import SystemClock
from broker.host.process import CHILDREN_MAX
from broker.host.why_not_file import WhyNotFile
from broker.providers.basic import BasicProvider
from broker.providers.protocol import ProviderContext
from tests.fake_clock import settle

FEED = """
[[feed]]
name = "{name}"
url = "https://{name}.example/simple/"
provider = "basic"
secret = "env:{name}"
"""


class Start(Protocol):
    """Starts a service with this configuration."""

    def __call__(self, text: str, *, system: bool = False) -> Runtime: ...


@pytest.fixture
def files(tmp_path: Path) -> ConfigFiles:
    return ConfigFiles(None, tmp_path / "env.toml", tmp_path / "config.toml")


@pytest.fixture
def environ() -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": "/nowhere", "a": "secret-a", "b": "secret-b", "KEPT": "inherited"}


def write(files: ConfigFiles, text: str) -> None:
    files.user.write_text(text)
    files.user.chmod(0o600)


@pytest.fixture
async def start(files: ConfigFiles, environ: dict[str, str]) -> AsyncIterator[Start]:
    services: list[Runtime] = []

    def started(text: str, *, system: bool = False) -> Runtime:
        write(files, text)
        clock = SystemClock()
        about = About("1.0.0", os.getpid(), "/run/broker.sock", str(files.user), clock.now())
        services.append(Runtime(about, files, clock=clock, environ=environ, classes=PROVIDERS, system=system))
        return services[-1]

    yield started
    for service in services:
        await service.close()


async def secret(service: Runtime, name: str) -> str:
    feed = service.keeper.slot_table.named(name)
    assert feed is not None
    credential = await service.keeper.credential_for(Match(feed, feed.key(), "test"), 5)
    return credential.secret.reveal()


def names(service: Runtime) -> list[str]:
    return [feed.name for feed in service.keeper.slot_table.feeds()]


async def test_a_good_configuration_is_served(start: Start) -> None:
    service = start(FEED.format(name="a"))

    assert await secret(service, "a") == "secret-a"
    assert service.fault is None


async def test_a_broken_one_at_the_start_is_told_and_does_not_end_the_daemon(start: Start) -> None:
    service = start('tll = "1h"\n')

    assert service.fault is not None
    assert "line 1: unknown key tll" in (status_of(service, HOUSE).error or "")


async def test_a_repaired_one_is_taken(start: Start, files: ConfigFiles) -> None:
    service = start('tll = "1h"\n')
    write(files, FEED.format(name="a"))
    await service.reload()

    assert service.fault is None
    assert await secret(service, "a") == "secret-a"


async def test_a_reload_adds_and_removes_feeds(start: Start, files: ConfigFiles) -> None:
    service = start(FEED.format(name="a"))
    write(files, FEED.format(name="b"))
    await service.reload()

    assert names(service) == ["b"]


async def test_a_broken_reload_changes_nothing(
    start: Start, files: ConfigFiles, environ: dict[str, str]
) -> None:
    service = start('[env]\nEXTRA = "1"\n' + FEED.format(name="a"))
    write(files, '[env]\nEXTRA = "2"\n[[feed]]\nurl = "nonsense"\n')

    with pytest.raises(BadConfiguration, match="line 4"):
        await service.reload()
    assert names(service) == ["a"]
    assert environ["EXTRA"] == "1"
    assert service.fault is None


async def test_a_change_is_noticed_once(start: Start, files: ConfigFiles) -> None:
    service = start(FEED.format(name="a"))
    write(files, FEED.format(name="a") + FEED.format(name="b"))
    await service.reload_if_changed()
    keeper_of_b = service.keeper.slot_table.named("b")
    await service.reload_if_changed()

    assert names(service) == ["a", "b"]
    assert service.keeper.slot_table.named("b") is keeper_of_b


async def test_a_broken_change_is_said_once_and_never_raised(
    start: Start, files: ConfigFiles, caplog: pytest.LogCaptureFixture
) -> None:
    service = start("")
    write(files, "nonsense")
    await service.reload_if_changed()
    await service.reload_if_changed()

    assert caplog.text.count("reload_refused") == 1


async def test_the_environment_is_what_the_configuration_says_over_what_was_inherited(
    start: Start, files: ConfigFiles, environ: dict[str, str]
) -> None:
    service = start('[env]\nKEPT = "configured"\nEXTRA = "1"\n')
    assert (environ["KEPT"], environ["EXTRA"]) == ("configured", "1")

    write(files, "")
    await service.reload()
    assert environ["KEPT"] == "inherited"
    assert "EXTRA" not in environ


async def test_two_feeds_of_one_address_with_different_sign_ins_are_refused(
    start: Start, files: ConfigFiles
) -> None:
    service = start("")
    write(
        files,
        '[[feed]]\nurl = "https://pkgs.dev.azure.com/acme/_packaging/a/pypi/simple/"\n'
        '[[feed]]\nurl = "https://acme.pkgs.visualstudio.com/_packaging/a/pypi/simple/"\n'
        'account = "b@acme.com"\n',
    )

    with pytest.raises(BadConfiguration, match="different sign-ins"):
        await service.reload()


async def test_feeds_of_one_organisation_share_a_slot_unless_their_sign_ins_differ(start: Start) -> None:
    service = start(
        '[[feed]]\nurl = "https://pkgs.dev.azure.com/acme/_packaging/a/pypi/simple/"\n'
        '[[feed]]\nurl = "https://acme.pkgs.visualstudio.com/_packaging/b/pypi/simple/"\n'
        '[[feed]]\nurl = "https://pkgs.dev.azure.com/acme/_packaging/c/pypi/simple/"\n'
        'account = "c@acme.com"\n'
    )
    a, b, c = service.keeper.slot_table.feeds()

    assert a.key() == b.key() != c.key()


SHARED = """
[[feed]]
name = "corp"
url = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
allow = {{ groups = ["developers"] }}
[[feed]]
name = "labs"
url = "https://pkgs.dev.azure.com/acme/_packaging/labs/pypi/simple/"
{more}
"""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "feeds labs and corp .* have one credential, so a user of one can use both"),
        ('allow = { groups = ["leads"] }', "a user of one can use both"),
        ('allow = { groups = ["developers"] }\nscope = "publish"', "gives out read-only credentials"),
    ],
)
async def test_a_system_broker_promises_nothing_that_its_credentials_do_not_keep(
    start: Start, more: str, words: str
) -> None:
    service = start(SHARED.format(more=more), system=True)

    assert service.fault is not None
    assert re.search(words, service.fault.detail)


async def test_feeds_of_one_credential_may_be_shared_with_the_same_people(start: Start) -> None:
    service = start(SHARED.format(more='allow = { groups = ["developers"] }'), system=True)

    assert service.fault is None


@pytest.mark.parametrize(
    ("auto", "is_learned"), [("true", True), ("false", False), ('["azure"]', True), ('["google"]', False)]
)
async def test_auto_decides_what_is_learned(start: Start, auto: str, is_learned: bool) -> None:
    service = start(f"auto = {auto}\n")
    found = service.keeper.slot_table.find(parse_url("https://pkgs.dev.azure.com/acme/_packaging/a/"), None)

    assert isinstance(found, Match) is is_learned


SIGNED_IN_ELSEWHERE = {
    "https://europe-python.pkg.dev/project/repository/simple/": "gcloud auth login",
    "https://domain-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/r/simple/": "aws sso login",
    "https://a.example/simple/": None,
}


@pytest.mark.parametrize(("url", "line"), SIGNED_IN_ELSEWHERE.items())
async def test_who_signs_in_elsewhere_is_told_where(url: str, line: str | None, start: Start) -> None:
    settings = 'provider = "basic"\nsecret = "env:a"' if line is None else ""
    service = start(f'[[feed]]\nname = "a"\nurl = "{url}"\n{settings}')
    feed = service.keeper.slot_table.named("a")
    assert feed is not None

    with pytest.raises(BadRequest, match="the broker cannot sign in there") as raised:
        service.sign_in(feed, [LoginMethod.DEVICE_CODE], in_file=False)
    assert raised.value.hint == line


async def test_what_a_provider_keeps_in_memory_outlives_a_reload(
    files: ConfigFiles, environ: dict[str, str]
) -> None:
    memories: list[object] = []

    class Remembering(BasicProvider):
        def __init__(self, tools: ProviderContext) -> None:
            super().__init__(tools)
            memories.append(tools.memory)

    clock = SystemClock()
    about = About("1.0.0", os.getpid(), "/run/broker.sock", str(files.user), clock.now())
    write(files, "")
    service = Runtime(about, files, clock=clock, environ=environ, classes=[Remembering])
    await service.reload()
    await service.close()

    assert len(memories) == 2
    assert memories[0] is memories[1]


async def test_a_held_token_is_served_while_all_places_for_programs_are_taken(
    start: Start, tmp_path: Path
) -> None:
    running, commands = tmp_path / "running", ""
    running.mkdir()
    stay = f"touch {running}/$$; exec sleep 600"
    for number in range(20):
        commands += f'[[feed]]\nname = "c{number}"\nurl = "https://c{number}.example/simple/"\n'
        commands += f'provider = "command"\ncommand = ["/bin/sh", "-c", "{stay}"]\n'
    service = start(FEED.format(name="a") + commands)
    await secret(service, "a")
    asking = [asyncio.create_task(secret(service, f"c{number}")) for number in range(20)]
    async with asyncio.timeout(10):
        while len(list(running.iterdir())) < CHILDREN_MAX:
            await settle()

    assert await secret(service, "a") == "secret-a"
    assert len(list(running.iterdir())) == CHILDREN_MAX
    for task in asking:
        task.cancel()


async def test_a_refused_reload_is_the_status_error_until_one_is_taken(
    start: Start, files: ConfigFiles
) -> None:
    service = start(FEED.format(name="a"))
    write(files, "tll = 5")
    with pytest.raises(BadConfiguration):
        await service.reload()

    told = status_of(service, HOUSE)
    recorded = [(each.topic, each.detail) for each in service.why_not.reasons]
    write(files, FEED.format(name="a"))
    await service.reload()

    assert "line 1: unknown key tll" in (told.error or "")
    assert told.feeds
    assert recorded == [(Topic.CONFIGURATION, told.error)]
    assert status_of(service, HOUSE).error is None
    assert service.why_not.reasons == ()


async def test_the_record_has_each_feeds_last_failure_and_is_gone_when_that_ends(
    start: Start, tmp_path: Path, environ: dict[str, str]
) -> None:
    service = start(FEED.format(name="absent"))
    file = WhyNotFile(tmp_path / "broker.sock")
    recorder = WhyNotRecorder(service, file)
    running = asyncio.create_task(recorder.run())
    match = service.keeper.slot_table.find(parse_url("https://absent.example/simple/"), None)
    assert isinstance(match, Match)

    with pytest.raises(SignInNeeded):
        await service.keeper.credential_for(match, 30)
    await until(lambda: [each.subject for each in file.read()] == ["absent"])
    environ["absent"] = "s3cret"
    await service.keeper.refresh(match)
    await until(lambda: file.read() == ())

    running.cancel()
    recorder.close()


async def until(holds: Callable[[], bool]) -> None:
    """Return when the writing thread has come so far."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.to_thread(os.sched_yield)
