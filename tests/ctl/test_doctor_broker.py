"""What the doctor finds about the broker and its service: each finding, and the room without it."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.core.why_not import Topic, WhyNot
from broker.ctl.api_client import SilentBrokerError
from broker.ctl.command_error import CommandError
from broker.ctl.doctor import permissions, running_brokers, service_checks
from broker.ctl.doctor.checks import findings
from broker.ctl.doctor.finding import fine, problem
from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.user_service import installation, sandbox_changes, units_step
from broker.host import trusted_file
from broker.host.installation import installed_version
from tests.ctl.clinic import found, not_running
from tests.ctl.found_feeds import broker
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.ctl.doctor.context import DoctorContext
    from broker.ctl.doctor.finding import Finding
    from tests.ctl.clinic import Clinic

INSTALLED = {"LoadState__socket": "loaded", "UnitFileState__socket": "enabled", "ActiveState": "active"}


def test_broker_that_answers_is_fine(clinic: Clinic) -> None:
    assert [each.said for each in running_brokers.broker_answers(clinic.room())] == [
        "broker answers in 0.9 ms"
    ]


def test_broker_that_does_not_run_is_found(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    room = clinic.room(failure=not_running())
    starts = "no broker is running; the first look-up starts one"
    without_manager = found(running_brokers.broker_answers, room)
    room.__dict__["has_service"] = True
    without_service = found(running_brokers.broker_answers, room)
    clinic.systemd(monkeypatch, **INSTALLED)

    assert without_manager == [("warning", starts, "brokerctl start")], "setup has nothing to start it by"
    assert without_service == [("warning", starts, "brokerctl setup")]
    assert found(running_brokers.broker_answers, room) == [
        ("problem", "no broker is running", "brokerctl start")
    ]


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder of ours that takes nothing, as in a container whose root is read-only."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=4k,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("only root, with CAP_SYS_ADMIN, can mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_place_that_takes_no_socket_is_found_where_no_broker_runs(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, closed: Path
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", str(closed / "token-broker" / "broker.sock"))

    ((level, said, line),) = found(running_brokers.broker_answers, clinic.room(failure=not_running()))

    assert (level, line) == ("problem", f"ls -ld {closed}")
    assert said.startswith(f"no broker is running, and none can be started: {closed} cannot be written; ")
    assert type_line(line).returncode == 0


def test_broker_that_cannot_be_trusted_is_found_with_its_repair(clinic: Clinic) -> None:
    room = clinic.room(failure=CommandError("/run/x is open to others", hint="chmod 700 /run/x"))

    assert found(running_brokers.broker_answers, room) == [
        ("problem", "/run/x is open to others", "chmod 700 /run/x")
    ]


def test_broker_that_gives_no_answer_is_found_with_the_line_that_starts_another(clinic: Clinic) -> None:
    """`status`, which the client names for it, names the doctor."""
    room = clinic.room(failure=SilentBrokerError("it did not answer in time", hint="brokerctl status"))

    assert found(running_brokers.broker_answers, room) == [
        ("problem", "it did not answer in time", "brokerctl restart")
    ]


def test_configuration_that_the_broker_refused_is_found(clinic: Clinic) -> None:
    room = clinic.room(broker(error="config.toml, line 3: unknown key"))

    assert found(running_brokers.broker_answers, room) == [
        ("problem", "config.toml, line 3: unknown key", "brokerctl reload")
    ]


def test_configuration_that_no_broker_has_read_yet_is_read(clinic: Clinic) -> None:
    clinic.configure("ttl = \n")
    room = clinic.room(failure=not_running())

    [(level, said, _)] = found(running_brokers.configuration_can_be_used, room)

    assert (level, said) == ("problem", "~/.config/token-broker/config.toml, line 1: not TOML: invalid value")


def test_configuration_that_the_broker_tells_of_is_told_once(clinic: Clinic) -> None:
    clinic.configure("ttl = ")

    assert (
        found(running_brokers.configuration_can_be_used, clinic.room(broker(error="line 1: not TOML"))) == []
    )


@pytest.mark.parametrize("text", ["ttl = ", '[[feed]]\nname = "x"\n', "\ufeff", "feed = 1"])
def test_configuration_that_is_broken_stops_no_check(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    clinic.systemd(monkeypatch, **INSTALLED)
    clinic.configure(text)

    checks = {finding.check for finding in findings(clinic.room(failure=not_running()))}

    assert {"configuration", "shim", "units"} <= checks


@pytest.mark.parametrize(("version", "count"), [("0.0.1", 1), (None, 0)])
def test_broker_of_another_version_is_found(clinic: Clinic, version: str | None, count: int) -> None:
    room = clinic.room(broker(version=version or installed_version()))

    assert len(found(running_brokers.same_version, room)) == count


@pytest.mark.parametrize(("main_pid", "count"), [("7", 1), ("4242", 0)])
def test_broker_that_is_not_the_services_is_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, main_pid: str, count: int
) -> None:
    clinic.systemd(monkeypatch, **INSTALLED, MainPID__service=main_pid)
    monkeypatch.setattr(running_brokers, "brokers", lambda: [4242])

    assert len(found(running_brokers.only_one_broker, clinic.room())) == count


@contextlib.contextmanager
def serving(clinic: Clinic, script: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the command line of a daemon's, until the end of the context."""
    program = clinic.write(script, "import sys; print(flush=True); sys.stdin.read()")
    command = [sys.executable, str(program), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # a process that has just been made has no command line yet
        yield process


@pytest.mark.parametrize(
    ("script", "words", "is_seen"),
    [
        ("brokerd", [], True),
        ("brokerd", ["--socket", "/private"], False),
        ("timeout", ["brokerd"], False),  # its child is the broker
    ],
)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has /proc")
def test_second_broker_is_found_unless_it_is_private(
    clinic: Clinic, script: str, words: list[str], *, is_seen: bool
) -> None:
    with serving(clinic, "brokerd") as first, serving(clinic, script, *words) as second:
        warnings = found(running_brokers.only_one_broker, clinic.room(broker(pid=first.pid)))
        hint = f"kill {second.pid}"
        if is_seen:
            assert type_line(hint).returncode == 0
            second.wait()

    assert (hint in [repair for _, _, repair in warnings]) is is_seen


@pytest.mark.parametrize("main_pid", ["", "4242"])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has /proc")
def test_in_a_command_of_exec_the_users_own_broker_is_no_second_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, main_pid: str
) -> None:
    clinic.systemd(monkeypatch, **INSTALLED, MainPID__service=main_pid)

    with serving(clinic, "brokerd"), serving(clinic, "brokerd", "--socket", "/private") as private:
        warnings = found(running_brokers.only_one_broker, clinic.room(broker(pid=private.pid)))

    assert warnings == []


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("/opt/bin/brokerd", True),
        ("/opt/bin/python3.11 /opt/bin/brokerd", True),
        ("python3 -I /opt/bin/brokerd --idle-exit 1h", True),
        ("python -X dev /opt/bin/brokerd", True),
        ("python -Xdev -Werror -IW error brokerd --check-hash-based-pycs", True),
        ("python --check-hash-based-pycs always brokerd", True),
        ("python -X brokerd", False),
        ("python -Ic brokerd brokerd", False),
        ("python - brokerd", False),
        ("/opt/bin/brokerd --socket /private", False),
        ("/opt/bin/brokerd --socket=/private", False),
        ("timeout 60 brokerd", False),
        ("env -i /opt/bin/brokerd", False),
        ("sh -c brokerd", False),
        ("vi brokerd", False),
        ("python3 -m pytest brokerd", False),
        ("pythonic brokerd", False),
        ("", False),
    ],
)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has /proc")
def test_broker_is_who_is_brokerd_or_a_python_that_runs_it(
    tmp_path: Path, line: str, *, is_one: bool
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_text("".join(f"{word}\0" for word in line.split(" ")))

    assert running_brokers.brokers(tmp_path) == ([7] if is_one else [])


@pytest.mark.parametrize(
    ("shown", "repair"),
    [
        ({}, "brokerctl setup"),
        (
            {**INSTALLED, "UnitFileState__socket": "disabled"},
            "systemctl --user enable --now token-broker.socket",
        ),
        ({"ActiveState__socket": "failed", **INSTALLED}, "brokerctl start"),
        ({"ActiveState__service": "failed", **INSTALLED}, "brokerctl start"),
        (INSTALLED, None),
    ],
)
def test_service_that_does_not_start_by_itself_is_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, shown: dict[str, str], repair: str | None
) -> None:
    clinic.systemd(monkeypatch, **shown)

    repairs = [repair for _, _, repair in found(service_checks.service_is_enabled, clinic.room())]

    assert repairs == ([] if repair is None else [repair])


@pytest.mark.parametrize(("lingers", "count"), [("no", 1), ("yes", 0)])
def test_service_that_ends_with_the_session_is_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, lingers: str, count: int
) -> None:
    clinic.systemd(monkeypatch, **INSTALLED, Linger=lingers)

    assert len(found(service_checks.service_lingers, clinic.room())) == count


def install_units(room: DoctorContext) -> list[Path]:
    _, drop_in = sandbox_changes(room.user_dirs, room.configured.config)
    written = []
    for change in (*units_step(room.user_dirs).changes, drop_in):
        assert isinstance(change, Write)
        change.path.parent.mkdir(parents=True, exist_ok=True)
        change.path.write_text(change.text)
        written.append(change.path)
    return written


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "of another installation"), (1, "of another installation"), (2, "for other feeds"), (3, None)],
)
def test_stale_units_are_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, number: int, said: str | None
) -> None:
    clinic.systemd(monkeypatch, **INSTALLED)
    room = clinic.room()
    for path in install_units(room)[number : number + 1]:
        path.write_text("# of last year\n")

    sayings = [said for _, said, _ in found(service_checks.units_are_of_this_installation, room)]

    assert len(sayings) == (said is not None)
    assert all((said or "") in each for each in sayings)


@pytest.mark.parametrize(
    "check",
    [
        service_checks.service_is_enabled,
        service_checks.service_lingers,
        service_checks.units_are_of_this_installation,
    ],
)
def test_where_no_service_manager_answers_nothing_is_said_of_units(clinic: Clinic, check: object) -> None:
    assert callable(check)
    assert found(check, clinic.room()) == []


@pytest.mark.parametrize(
    ("place", "mode", "closed"),
    [
        ("~/.config/token-broker/config.toml", 0o664, 0o644),
        ("~/.config/token-broker/env.toml", 0o644, 0o600),
        ("~/secrets/feed", 0o640, 0o600),
    ],
)
def test_file_that_is_open_to_others_is_found_and_closed_by_the_fix(
    clinic: Clinic, place: str, mode: int, closed: int
) -> None:
    clinic.configure(
        '[[feed]]\nurl = "https://a.example/"\nprovider = "basic"\nsecret = "file:~/secrets/feed"\n'
    )
    path = clinic.home / place[2:]
    clinic.write(place, path.read_text() if path.exists() else "", mode)

    [finding] = permissions.permissions_are_tight(clinic.room())
    assert type_line(finding.repair).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == closed
    path.chmod(mode)
    assert finding.fix is not None
    finding.fix()

    assert (
        finding.said == f"{place} can be {'written' if mode == 0o664 else 'read'} by others (mode {mode:04o})"
    )
    assert stat.S_IMODE(path.stat().st_mode) == closed
    assert found(permissions.permissions_are_tight, clinic.room()) == []


def test_program_that_a_feed_runs_is_no_secret_and_stays_everyones(clinic: Clinic) -> None:
    clinic.write("~/bin/token", "#!/bin/sh\n", 0o755)
    clinic.configure('[[feed]]\nurl = "https://a.example/"\nprovider = "command"\ncommand = "~/bin/token"\n')

    assert found(permissions.permissions_are_tight, clinic.room()) == []


def test_a_configuration_that_a_variable_names_and_is_missing_is_found(clinic: Clinic) -> None:
    clinic.environ["TOKEN_BROKER_CONFIG"] = f"{clinic.home}/no/such.toml"

    [(level, said, repair)] = found(
        running_brokers.configuration_can_be_used, clinic.room(failure=not_running())
    )

    assert (level, said) == ("problem", f"{clinic.home}/no/such.toml does not exist")
    assert type_line(repair).returncode == 0
    assert found(running_brokers.configuration_can_be_used, clinic.room(failure=not_running())) == []


def test_a_service_reads_a_configuration_from_where_it_was_named(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clinic.home)
    clinic.environ["TOKEN_BROKER_CONFIG"] = "named.toml"

    named = installation(clinic.room().user_dirs).variables["TOKEN_BROKER_CONFIG"]

    assert named == f"{clinic.home}/named.toml"


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_folder_that_all_users_share_is_never_closed(
    clinic: Clinic, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = clinic.home.parent / "shared"
    shared.mkdir()
    shared.chmod(mode)
    monkeypatch.setattr(permissions, "TEMPORARY", {shared})
    monkeypatch.setattr(trusted_file, "TEMPORARY", {*trusted_file.TEMPORARY, shared})
    clinic.environ["TOKEN_BROKER_CONFIG"] = f"{shared}/config.toml"
    before = found(permissions.permissions_are_tight, clinic.room())
    (shared / "config.toml").write_text("")

    after = list(permissions.permissions_are_tight(clinic.room()))

    assert before == []
    said = f"{shared} can be written by others (mode 0777): keep the file in a folder that only you can write"
    assert [(each.said, each.repair, each.fix) for each in after] == (
        [] if mode & stat.S_ISVTX else [(said, None, None)]
    )


def test_link_that_another_user_put_there_is_found_with_the_line_that_removes_it(clinic: Clinic) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    path = clinic.configure("")
    path.rename(path.with_name("other.toml"))
    path.symlink_to("other.toml")
    os.chown(path, 64321, 64321, follow_symlinks=False)

    [finding] = permissions.permissions_are_tight(clinic.room())

    assert finding.said == "~/.config/token-broker/config.toml belongs to another user (uid 64321)"
    assert finding.repair == f"rm {path}"


@pytest.mark.parametrize("slashes", ["", "/"])
def test_socket_folder_that_is_open_to_others_is_found(
    clinic: Clinic, socket: Path, monkeypatch: pytest.MonkeyPatch, slashes: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{socket.parents[1]}{slashes}")
    socket.parent.mkdir(mode=0o700)
    before = found(permissions.permissions_are_tight, clinic.room())
    socket.parent.chmod(0o755)

    assert before == []
    [finding] = permissions.permissions_are_tight(clinic.room())
    assert finding.repair == f"chmod go-rwx {socket.parent}"


def test_socket_folder_that_was_not_made_for_it_is_never_closed(
    clinic: Clinic, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = socket.parents[1] / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", f"{shared}/x.sock")

    [finding] = permissions.permissions_are_tight(clinic.room())

    assert finding.said.endswith("can be read by others (mode 1777): the socket wants a folder of its own")
    assert finding.repair == f"export TOKEN_BROKER_SOCKET={shared}/token-broker-{os.geteuid()}/broker.sock"
    assert finding.fix is None
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", finding.repair.partition("=")[2])
    assert found(permissions.permissions_are_tight, clinic.room()) == []


def left_behind(room: DoctorContext, topic: Topic, detail: str, subject: str = "") -> None:
    why_not = WhyNot()
    why_not.tell(topic, detail, at=room.clock.now().wall, subject=subject)
    room.why_not = why_not.reasons


def test_last_starts_failure_is_told_without_a_daemon(clinic: Clinic) -> None:
    room = clinic.room(failure=not_running())
    left_behind(room, Topic.START, "the folder /x is open to others")

    wrong = found(running_brokers.nothing_was_left_unsaid, room)

    assert wrong == [
        ("problem", "brokerd ended just now: the folder /x is open to others", "brokerctl start")
    ]


@pytest.mark.parametrize("topic", [Topic.FEED, Topic.LEARNED_FEEDS, Topic.PROCESSES, Topic.CERTIFICATES])
def test_each_reason_is_told_without_a_daemon(clinic: Clinic, topic: Topic) -> None:
    room = clinic.room(failure=not_running())
    left_behind(room, topic, "it failed", "corp")

    assert [said for _, said, _ in found(running_brokers.nothing_was_left_unsaid, room)] == [
        "corp: it failed (just now)"
    ]


def test_daemon_that_answers_has_shown_that_it_starts(clinic: Clinic) -> None:
    room = clinic.room()
    left_behind(room, Topic.START, "it failed")

    assert found(running_brokers.nothing_was_left_unsaid, room) == []


def test_daemon_run_as_a_module_is_a_broker() -> None:
    assert running_brokers._runs_brokerd([b"/usr/bin/python3.11", b"-m", b"broker.daemon", b""])


@pytest.mark.parametrize("defect", [ValueError("x"), OSError("x"), RecursionError(), AssertionError()])
def test_check_that_fails_is_a_finding_and_the_others_go_on(clinic: Clinic, defect: Exception) -> None:
    def broken(_: DoctorContext) -> Iterator[Finding]:
        yield fine("first", "seen before it broke")
        raise defect

    def good(_: DoctorContext) -> Iterator[Finding]:
        yield fine("good", "good")

    listed = findings(clinic.room(), (broken, good))

    assert [each.check for each in listed] == ["first", "doctor", "good"]
    assert listed[1].said.startswith(
        f"the check broken failed: {type(defect).__name__} in test_doctor_broker.py"
    )


def test_a_check_that_a_file_keeps_from_its_answer_says_so(clinic: Clinic) -> None:
    def kept(_: DoctorContext) -> Iterator[Finding]:
        raise CommandError("uv.toml is a named pipe", hint="ls -ld .config/uv")

    [listed] = findings(clinic.room(), (kept,))

    assert (listed.said, listed.repair) == ("uv.toml is a named pipe", "ls -ld .config/uv")


def test_checks_look_side_by_side_once_the_first_has_ended(clinic: Clinic) -> None:
    together, has_asked = threading.Barrier(2, timeout=30), threading.Event()

    def asking(_: DoctorContext) -> Iterator[Finding]:
        has_asked.set()
        yield fine("asking", "asked")

    def one(_: DoctorContext) -> Iterator[Finding]:
        assert has_asked.is_set()
        together.wait()
        yield fine("one", "met")

    def other(_: DoctorContext) -> Iterator[Finding]:
        together.wait()
        yield fine("other", "met")

    listed = findings(clinic.room(), (asking, one, other), 60)

    assert [(each.check, each.said) for each in listed] == [
        ("asking", "asked"),
        ("one", "met"),
        ("other", "met"),
    ]


def test_check_that_does_not_end_is_a_finding_and_the_others_go_on(clinic: Clinic) -> None:
    ended = threading.Event()

    def slow(_: DoctorContext) -> Iterator[Finding]:
        ended.wait()
        yield fine("slow", "late")

    listed = findings(clinic.room(), (slow,), 0.05)
    ended.set()

    assert [each.said for each in listed] == ["the check slow did not end within 0 s"]


def test_doctor_never_names_itself(clinic: Clinic) -> None:
    def check(_: DoctorContext) -> Iterator[Finding]:
        yield problem("a", "a", "brokerctl doctor")
        yield problem("b", "b", "sudo brokerctl doctor")
        yield problem("c", "c", "brokerctl doctor --fix")
        yield problem("d", "d", "brokerctl start")

    assert [each.repair for each in findings(clinic.room(), (check,))] == [
        *("brokerctl logs", "brokerctl logs", "brokerctl doctor --fix", "brokerctl start")
    ]
