import asyncio
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import keyring.backend
import keyring.core
import pytest
from keyring.backends.chainer import ChainerBackend
from keyring.credentials import SimpleCredential
from keyring.errors import KeyringError, KeyringLocked

from broker.core.failures import NotObtained, SignInNeeded, Unavailable
from broker.providers.keyring_store import LOCKED_RETRY_S, chosen_store, putting, read_login, trying

CLIENT = Path(__file__).resolve().parents[2] / "client"


class PaperStore(keyring.backend.KeyringBackend):
    """A store that knows one entry."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return "s3cret" if (service, username) == ("corp", "ci") else None

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        return SimpleCredential("ci", "s3cret") if service == "corp" and username is None else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class BrokenStore(PaperStore):
    """A store that fails as it is told."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._error = error

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - fails for all
        raise self._error


class LockedStore(PaperStore):
    """A store that waits for a person, until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.asked, self.unlocked = threading.Event(), threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.set()
        self.unlocked.wait(10)
        return super().get_password(service, username)


@pytest.fixture
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who configured nothing for the keyring library; returns where they would."""
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("keyring.core._config_path", lambda: tmp_path / "keyringrc.cfg")
    return tmp_path / "keyringrc.cfg"


def _configure(file: Path, backend: str) -> None:
    file.write_text(f"[backend]\ndefault-keyring={backend}\n")


@pytest.fixture
def other_module(monkeypatch: pytest.MonkeyPatch) -> str:
    """A third-party module with a backend in it; gives the backend's full name."""
    module = ModuleType("somebodys_keyring")
    module.PaperStore = PaperStore  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_keyring", module)
    return "somebodys_keyring.PaperStore"


@pytest.mark.skipif(sys.platform == "darwin", reason="it is this system's own there")
@pytest.mark.usefixtures("no_configuration")
def test_the_store_of_another_system_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def load(name: str) -> None:
        tried.append(name)
        raise RuntimeError(name)

    monkeypatch.setattr(keyring.core, "load_keyring", load)

    with pytest.raises(SignInNeeded):
        chosen_store()

    assert "keyring.backends.SecretService.Keyring" in tried
    assert not any("macOS" in name for name in tried), "on Linux that runs ldconfig, gcc and ld"


async def test_an_entry_is_found_by_service_and_user() -> None:
    assert await read_login("corp", "ci", store=PaperStore) == ("ci", "s3cret")


async def test_an_entry_brings_its_own_username() -> None:
    assert await read_login("corp", None, store=PaperStore) == ("ci", "s3cret")


@pytest.mark.parametrize(
    ("service", "username", "detail", "hint"),
    [
        ("corp", "dev", "the keyring has no password for corp and user dev", "set corp dev"),
        ("a b", None, "the keyring has no password for a b", "set 'a b' USERNAME"),
    ],
)
async def test_a_missing_entry_needs_a_person_who_is_told_what_to_type(
    service: str, username: str | None, detail: str, hint: str
) -> None:
    with pytest.raises(SignInNeeded) as raised:
        await read_login(service, username, store=PaperStore)

    # by name it could be our own shim and no other, which writes nothing
    assert (raised.value.detail, raised.value.hint) == (
        detail,
        f"{sys.executable} -P -m broker.providers.keyring_store {hint}",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (putting("corp", "ci"), "token-broker: the keyring took nothing (NoKeyringError)"),
        (trying("corp", "ci"), "token-broker: the keyring failed (NoKeyringError)"),
    ],
    ids=["putting", "trying"],
)
def test_the_command_that_asks_for_a_password_runs_nothing_of_the_folder_it_is_typed_in(
    tmp_path: Path, line: str, said: str
) -> None:
    for name in ("getpass", "keyring", "broker"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')")
    told = subprocess.run(
        shlex.split(line),
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        input="s3cret\n",
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,  # without a terminal it reads stdin
        check=False,
    )

    assert told.stderr.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (KeyringLocked("s3cret"), "the keyring is locked"),
        (KeyringError("s3cret"), "the keyring failed (KeyringError)"),
        (RuntimeError("s3cret"), "the keyring failed (RuntimeError)"),
        (OSError("s3cret"), "the keyring failed (OSError)"),
        (KeyError("s3cret"), "the keyring failed (KeyError)"),
        (SystemExit("s3cret"), "the keyring failed (SystemExit)"),
    ],
)
async def test_a_failing_store_is_unavailable_and_its_words_stay_with_it(
    error: BaseException, detail: str
) -> None:
    def made() -> BrokenStore:
        raise error

    for store in (lambda: BrokenStore(error), made):
        with pytest.raises(Unavailable) as raised:
            await read_login("corp", "ci", store=store)

        assert (raised.value.detail, raised.value.hint) == (detail, trying("corp", "ci"))


async def test_a_store_that_waits_for_a_person_is_given_up() -> None:
    store = LockedStore()

    with pytest.raises(Unavailable, match="did not answer") as raised:
        await read_login("corp", "ci", store=lambda: store, limit_s=0.01)

    assert (raised.value.retry_after_s, raised.value.hint) == (LOCKED_RETRY_S, trying("corp", "ci"))
    store.unlocked.set()


async def test_questions_wait_for_their_turn_and_nobody_asks_for_who_has_left() -> None:
    store, never_asked = LockedStore(), LockedStore()
    first = asyncio.create_task(read_login("corp", "ci", store=lambda: store))
    await asyncio.to_thread(store.asked.wait, 10)
    with pytest.raises(Unavailable, match="did not answer"):
        await read_login("corp", "ci", store=lambda: never_asked, limit_s=0.01)
    third = asyncio.create_task(read_login("corp", "ci", store=PaperStore))

    store.unlocked.set()

    assert await first == await third == ("ci", "s3cret")
    assert not never_asked.asked.is_set()


async def test_a_locked_store_does_not_hold_up_the_daemons_end() -> None:
    await read_login("corp", "ci", store=PaperStore)

    assert [thread.daemon for thread in threading.enumerate() if thread.name == "keyring"] == [True]


def test_the_configured_backend_is_used(
    no_configuration: Path, other_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not no_configuration.exists()
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", other_module)

    assert isinstance(chosen_store(), PaperStore)


def test_the_configured_file_counts_too(no_configuration: Path, other_module: str) -> None:
    _configure(no_configuration, other_module)

    assert isinstance(chosen_store(), PaperStore)


def test_a_file_that_is_no_configuration_of_the_librarys_counts_as_none(no_configuration: Path) -> None:
    no_configuration.write_text("not a section\n")

    with pytest.raises(SignInNeeded, match="reaches no keyring"):
        chosen_store()


@pytest.fixture
def asked_ourselves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What our own backend was asked; the library's chain leads to it alone."""
    monkeypatch.syspath_prepend(str(CLIENT))
    import token_broker_keyring  # noqa: PLC0415 - importing it registers it with the library

    asked: list[str] = []
    ours = token_broker_keyring.TokenBrokerKeyring
    for method in ("get_password", "get_credential"):
        monkeypatch.setattr(ours, method, lambda _self, service, _username: asked.append(service))
    monkeypatch.setattr(ChainerBackend, "backends", [ours()])  # type: ignore[no-untyped-call]
    return asked


OURSELVES = ["token_broker_keyring.TokenBrokerKeyring", "keyring.backends.chainer.ChainerBackend"]


@pytest.mark.parametrize("backend", OURSELVES)
def test_the_librarys_own_choice_would_ask_ourselves(backend: str, asked_ourselves: list[str]) -> None:
    keyring.core.load_keyring(backend).get_password("corp", "ci")

    assert asked_ourselves == ["corp"]


@pytest.mark.parametrize("backend", OURSELVES)
@pytest.mark.parametrize("way", ["variable", "file"])
async def test_we_never_ask_ourselves_even_when_configured_to(
    backend: str,
    way: str,
    asked_ourselves: list[str],
    no_configuration: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "variable":
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    else:
        _configure(no_configuration, backend)

    with pytest.raises(NotObtained):
        await read_login("corp", "ci")

    assert asked_ourselves == []


@pytest.mark.parametrize("backend", ["", "nonsense", "no_such.Module", "keyring.backends.macOS.Nothing"])
def test_without_a_usable_store_a_person_is_needed(
    backend: str, no_configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not no_configuration.exists()
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)

    with pytest.raises(SignInNeeded, match="reaches no keyring"):
        chosen_store()


def typed(line: str, password: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A line as a person types it, and the password that it asks for."""
    return subprocess.run(
        shlex.split(line),
        input=f"{password}\n",
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


FILE_STORE = """
import os, pathlib
from keyring.backend import KeyringBackend
class Store(KeyringBackend):
    priority = 1.0
    def get_password(self, service, username):
        return {"ci": "s3cret", "dev": None}[username]
    def set_password(self, service, username, password):
        pathlib.Path(os.environ["KEPT"]).write_text(f"{service} {username} {password}")
"""


def test_the_line_that_is_told_puts_a_password_into_the_store_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "file_store.py").write_text(FILE_STORE)
    kept = tmp_path / "kept"
    environment = {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "file_store.Store",
        "KEPT": str(kept),
    }

    ended = typed(putting("gitlab-pat", "ci"), "s3cret", environment)

    assert (ended.returncode, kept.read_text()) == (0, "gitlab-pat ci s3cret"), ended.stderr


@pytest.mark.parametrize(
    ("username", "code", "said"),
    [
        ("ci", 0, "the keyring has a password for corp and user ci\n"),
        ("dev", 1, "the keyring does not have a password for corp and user dev\n"),
        ("odd", 1, "token-broker: the keyring failed (KeyError)\n"),
    ],
)
def test_the_line_that_asks_the_store_again_says_what_came_and_no_password(
    tmp_path: Path, username: str, code: int, said: str
) -> None:
    (tmp_path / "file_store.py").write_text(FILE_STORE)
    environment = {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "file_store.Store"}

    ended = typed(trying("corp", username), "", environment)

    assert (ended.returncode, ended.stdout + ended.stderr) == (code, said)


def test_where_no_store_is_reached_the_line_says_so_without_a_traceback(tmp_path: Path) -> None:
    ended = typed(putting("gitlab-pat", "ci"), "s3cret", {"HOME": str(tmp_path)})

    assert ended.returncode == 1
    assert "the broker reaches no keyring" in ended.stderr
    assert "Traceback" not in ended.stderr
