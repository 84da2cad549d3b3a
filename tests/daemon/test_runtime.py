"""A configuration in force: how it starts, how the next one takes its place, what a broken one does."""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn, Protocol

import certifi
import pytest

from broker.api.backend import About, status_of
from broker.config.files import ConfigFiles
from broker.core.access import Account, OwnSocket, Principal
from broker.core.failures import BadConfiguration, BadRequest, SignInNeeded, Unavailable
from broker.core.feeds import Match
from broker.core.learned_feeds import LEARNED_MAX
from broker.core.login_progress import LoginMethod
from broker.core.urls import parse_url
from broker.core.why_not import Topic
from broker.daemon.built_in_providers import PROVIDERS
from broker.daemon.runtime import Runtime
from broker.daemon.why_not_recorder import WhyNotRecorder
from broker.host.clock import SystemClock
from broker.host.http import Request
from broker.host.http_errors import Unreachable
from broker.host.process import CHILDREN_MAX
from broker.host.why_not_file import WhyNotFile
from broker.providers.basic import BasicProvider
from broker.providers.protocol import ProviderContext
from tests.fake_clock import settle

OWNER = Principal(OwnSocket(), Account(0))

FEED = """
[[feed]]
name = "{name}"
url = "https://{name}.example/simple/"
provider = "basic"
secret = "env:{name}"
"""


class Hurrying(SystemClock):
    """Sleeps no longer than a turn of the loop."""

    async def nap(self, seconds: float) -> None:
        del seconds
        await asyncio.sleep(0)


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
        clock = Hurrying()
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
    assert "line 1: unknown key tll" in (status_of(service, OWNER).error or "")


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
    "https://a.example/simple/": "brokerctl explain a",
}


@pytest.mark.parametrize(("url", "line"), SIGNED_IN_ELSEWHERE.items())
async def test_who_signs_in_elsewhere_is_told_where(url: str, line: str, start: Start) -> None:
    settings = 'provider = "basic"\nsecret = "env:a"' if "a.example" in url else ""
    service = start(f'[[feed]]\nname = "a"\nurl = "{url}"\n{settings}')
    feed = service.keeper.slot_table.named("a")
    assert feed is not None

    with pytest.raises(BadRequest, match="the broker cannot sign in there") as raised:
        service.sign_in(feed, [LoginMethod.DEVICE_CODE], in_file=False)
    assert raised.value.hint == line

    with pytest.raises(BadRequest, match="the broker has none there to end") as raised:
        await service.sign_out(feed)
    assert raised.value.hint == "brokerctl forget a"


async def test_what_a_provider_keeps_in_memory_outlives_a_reload(
    files: ConfigFiles, environ: dict[str, str]
) -> None:
    memories: list[object] = []

    class Remembering(BasicProvider):
        def __init__(self, tools: ProviderContext) -> None:
            super().__init__(tools)
            memories.append(tools.memory)

    clock = Hurrying()
    about = About("1.0.0", os.getpid(), "/run/broker.sock", str(files.user), clock.now())
    write(files, "")
    service = Runtime(about, files, clock=clock, environ=environ, classes=[Remembering])
    await service.reload()
    await service.close()

    assert len(memories) == 2
    assert memories[0] is memories[1]


async def test_a_file_that_is_being_written_drops_nothing(
    start: Start, files: ConfigFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FEED.format(name="a") + FEED.format(name="b")
    service = start(whole)
    assert await secret(service, "a") == "secret-a"
    entries = list(service.keeper.slot_table)

    async def go_on(self: Hurrying, seconds: float) -> None:
        del self, seconds
        if not files.user.read_text():
            write(files, whole + "# the end\n")

    monkeypatch.setattr(Hurrying, "nap", go_on)
    write(files, "")
    await service.reload_if_changed()

    assert names(service) == ["a", "b"]
    assert list(service.keeper.slot_table) == entries
    assert service.reload_failure is None


async def test_a_file_that_never_stands_still_is_not_applied(
    start: Start, files: ConfigFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(FEED.format(name="a"))

    async def go_on(self: Hurrying, seconds: float) -> None:
        del self, seconds
        write(files, files.user.read_text() + "#")

    monkeypatch.setattr(Hurrying, "nap", go_on)
    write(files, "")

    with pytest.raises(BadConfiguration, match="it is being written"):
        await service.reload()
    assert names(service) == ["a"]
    assert service.reload_failure is not None


async def test_reloads_at_once_come_one_after_the_other(start: Start, files: ConfigFiles) -> None:
    service = start(FEED.format(name="a"))
    write(files, FEED.format(name="b"))
    await asyncio.gather(*(service.reload() for _ in range(5)))

    assert names(service) == ["b"]


@pytest.mark.parametrize("method", ["__init__", "identity", "kind", "username"])
async def test_a_provider_with_a_defect_costs_its_own_feeds_alone(
    files: ConfigFiles, environ: dict[str, str], method: str
) -> None:
    def strike(*_: object) -> NoReturn:
        raise OverflowError("s3cret")

    class Broken(BasicProvider):
        name = "broken"

    setattr(Broken, method, strike)
    about = About("1.0.0", os.getpid(), "/run/broker.sock", str(files.user), SystemClock().now())
    write(files, FEED.format(name="a"))
    service = Runtime(about, files, clock=Hurrying(), environ=environ, classes=[BasicProvider, Broken])
    write(files, FEED.format(name="a") + FEED.format(name="b").replace('"basic"', '"broken"'))
    with pytest.raises(
        BadConfiguration, match=r"line 8: the provider broken has a defect \(OverflowError in"
    ):
        await service.reload()
    found = await secret(service, "a")
    await service.close()

    assert (found, names(service)) == ("secret-a", ["a"])


@pytest.mark.parametrize("step", ["_read", "_built", "_look_at_files"])
async def test_a_reload_survives_whatever_its_steps_raise(
    start: Start, files: ConfigFiles, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("s3cret")

    service = start(FEED.format(name="a"))
    write(files, FEED.format(name="b"))
    monkeypatch.setattr(service, step, fail)
    with pytest.raises(BadConfiguration, match=r"cannot be used: OverflowError in test_runtime.py line \d+"):
        await service.reload()
    assert names(service) == ["a"]

    monkeypatch.undo()
    await service.reload()
    assert names(service) == ["b"]


async def test_authorities_replaced_in_place_are_taken_and_broken_ones_are_not(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle, authorities = tmp_path / "ca.pem", certifi.contents()
    bundle.write_text(authorities)
    service = start(f'ca = "{bundle}"\n' + FEED.format(name="a"))
    assert await secret(service, "a") == "secret-a"
    entries, http = list(service.keeper.slot_table), service._now.http
    with contextlib.suppress(Unreachable):
        await http.send(Request("GET", "https://127.0.0.1:1/"))
    first = http._clients
    bundle.write_text(authorities + "\n")
    await service.reload_if_changed()
    second = http._clients
    bundle.write_text("nonsense")
    await service.reload_if_changed()
    await service.reload_if_changed()

    assert first is not second is http._clients
    assert [(each.topic, each.detail.rpartition(": ")[2]) for each in service.why_not.reasons] == [
        (Topic.CERTIFICATES, "not certificates in PEM form")
    ]
    assert caplog.text.count("authorities_kept") == 1
    assert list(service.keeper.slot_table) == entries
    bundle.write_text(authorities)
    await service.reload_if_changed()
    assert service.why_not.reasons == ()


async def test_a_refused_reload_is_the_status_error_until_one_is_taken(
    start: Start, files: ConfigFiles
) -> None:
    service = start(FEED.format(name="a"))
    write(files, "tll = 5")
    with pytest.raises(BadConfiguration):
        await service.reload()

    told = status_of(service, OWNER)
    recorded = [(each.topic, each.detail) for each in service.why_not.reasons]
    write(files, FEED.format(name="a"))
    await service.reload()

    assert "line 1: unknown key tll" in (told.error or "")
    assert told.feeds
    assert recorded == [(Topic.CONFIGURATION, told.error)]
    assert status_of(service, OWNER).error is None
    assert service.why_not.reasons == ()


@contextlib.asynccontextmanager
async def recorded(service: Runtime, folder: Path) -> AsyncIterator[WhyNotFile]:
    """The record that the service's recorder writes."""
    file = WhyNotFile(folder / "broker.sock")
    recorder = WhyNotRecorder(service, file)
    running = asyncio.create_task(recorder.run())
    try:
        yield file
    finally:
        running.cancel()
        recorder.close()


@pytest.mark.parametrize("repaired", [True, False], ids=["mended", "taken away"])
async def test_the_record_has_each_feeds_last_failure_and_is_gone_when_that_ends(
    start: Start, tmp_path: Path, files: ConfigFiles, repaired: bool
) -> None:
    service = start(FEED.format(name="absent"))
    match = service.keeper.slot_table.find(parse_url("https://absent.example/simple/"), None)
    assert isinstance(match, Match)

    async with recorded(service, tmp_path) as file:
        with pytest.raises(SignInNeeded):
            await service.keeper.credential_for(match, 30)
        await until(lambda: [each.subject for each in file.read()] == ["absent"])

        if repaired:
            write(files, FEED.format(name="absent") + '[env]\nabsent = "s3cret"\n')
            await service.reload()
            await service.keeper.refresh(match)
        else:
            write(files, FEED.format(name="a"))
            await service.reload()

        await until(lambda: file.read() == ())


async def test_a_program_for_which_there_was_no_process_is_recorded_until_one_starts(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(
        '[[feed]]\nname = "c"\nurl = "https://c.example/simple/"\nprovider = "basic"\n'
        'username = "ci"\nsecret = "command:echo s3cret"\n'
    )
    match = service.keeper.slot_table.find(parse_url("https://c.example/simple/"), None)
    assert isinstance(match, Match)

    def failing(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    async with recorded(service, tmp_path) as file:
        with monkeypatch.context() as lacking:
            lacking.setattr("subprocess.Popen", failing)
            with pytest.raises(Unavailable):
                await service.keeper.refresh(match)
        await until(lambda: Topic.PROCESSES in {each.topic for each in file.read()})
        (reason,) = [each for each in file.read() if each.topic is Topic.PROCESSES]
        await service.keeper.refresh(match)
        await until(lambda: file.read() == ())

    assert reason.subject == "echo"
    assert "may start no more processes" in reason.detail


async def test_a_full_table_of_learned_feeds_is_recorded_until_there_is_room(
    start: Start, tmp_path: Path
) -> None:
    service = start("")
    table, now = service.keeper.slot_table, service.keeper.clock.now()

    def asked(organisation: str) -> object:
        return table.find(
            parse_url(f"https://pkgs.dev.azure.com/{organisation}/_packaging/a/pypi/simple/"), None
        )

    async with recorded(service, tmp_path) as file:
        for number in range(LEARNED_MAX):
            match = asked(f"org{number}")
            assert isinstance(match, Match)
            table.of(match, now).has_succeeded = True
        asked("late")
        await until(lambda: [each.topic for each in file.read()] == [Topic.LEARNED_FEEDS])
        (reason,) = file.read()
        table.remove(next(iter(table)))
        await until(lambda: file.read() == ())

    assert reason.detail.startswith("azure:late was not learned: 64 others")


async def until(holds: Callable[[], bool]) -> None:
    """Return when the writing thread has come so far."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.to_thread(os.sched_yield)


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
    async with asyncio.timeout(60):
        while len(list(running.iterdir())) < CHILDREN_MAX:
            await settle()

    assert await secret(service, "a") == "secret-a"
    assert len(list(running.iterdir())) == CHILDREN_MAX
    for task in asking:
        task.cancel()
