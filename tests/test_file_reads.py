"""Files are read by `broker/host/trusted_file.py`; what else opens one is listed here, with its reason."""

import ast
from collections.abc import Iterator

import pytest

from tests.test_architecture import BROKER, sources

READER = "host/trusted_file.py"

OPENING = {"open", "read_text", "read_bytes", "fdopen", "load_cert_chain", "load_verify_locations"}
"""Names of functions and methods that read a file, or open one to read, write or lock it."""

OF_MODULES = {
    "tomllib": {"load"},
    "json": {"load"},
    "netrc": {"netrc"},
    "pickle": {"load"},
    "shutil": {"copy", "copy2", "copyfile", "copyfileobj"},
}

ALLOWED = {
    "ctl/add/config_file.py": "a folder, to lock it",
    "ctl/broker_process.py": "the log of a broker that brokerctl has just made for it",
    "ctl/demo/token_command.py": "a file of the demo's own folder",
    "ctl/doctor/redaction.py": "the sources of this package",
    "ctl/doctor/running_brokers.py": "/proc",
    "ctl/exec/ci_env.py": "GITHUB_ENV and GITHUB_PATH, which are appended to",
    "ctl/exec/foreground.py": "/dev/tty, which is asked and not read",
    "ctl/help_page.py": "the pages of this package",
    "ctl/login_verbs.py": "a web browser",
    "ctl/service/verb.py": "/proc",
    "ctl/setup/client_backends.py": "two modules of this installation",
    "ctl/setup/file_changes.py": "what the user has there, to keep it, where it cannot be linked",
    "ctl/setup/launchd_agent.py": "a template of this package",
    "ctl/setup/setup_lock.py": "a folder, to lock it",
    "ctl/setup/undo_rules.py": "what set-up has kept, in a folder of its own",
    "ctl/setup/unit_files.py": "a template of this package",
    "ctl/why/recorded_run.py": "pip's log, from where it ended before the command; a regular file alone",
    "daemon/share_program.py": "a new file in a share's folder, to write it",
    "gateway/authority.py": "a certificate and key of its own, through files of its own making",
    "host/authorities.py": "a folder of certificates; a file's are handed over as text",
    "host/file_writing.py": "a new file, to write it, and its folder, to sync it",
    "host/held_file.py": "a new file, to write it",
    "host/process_tree.py": "/proc",
    "host/standard_streams.py": "/dev/null",
    "host/start_failure.py": "a program that could not be run: its first line, without a wait",
    "host/state_file.py": "a file of ours alone, opened without a wait and without following a link",
    "host/subuid.py": "/etc/subuid, which only root writes",
    "host/tcp_owner.py": "/proc",
    "providers/google/provider.py": "/sys",
    "server/http_server.py": "a listener",
    "server/listen.py": "a folder and a lock of ours, made and checked there",
}


def opens(source: str) -> Iterator[int]:
    """The lines that call such a function; definitions do not count."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)) if module in OF_MODULES:
                if name in OF_MODULES[module]:
                    yield node.lineno
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in OPENING:
                yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "open(x)",
        "path.open('rb')",
        "os.open(x, 0)",
        "Path(x).read_text()",
        "tomllib.load(f)",
        "netrc.netrc(x)",
    ],
)
def test_a_call_that_opens_a_file_is_seen(line: str) -> None:
    assert list(opens(line)) == [1]


def test_files_are_opened_by_the_one_reader_alone() -> None:
    found = {
        str(path.relative_to(BROKER)): lines for path in sources() if (lines := list(opens(path.read_text())))
    }

    assert set(found) - {READER} == set(ALLOWED), (
        "read it by broker/host/trusted_file.py, or say here why not"
    )
