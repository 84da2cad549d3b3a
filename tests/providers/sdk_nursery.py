"""The SDKs' children, forked from a process that has loaded the SDK: a test pays for what the child does, not
for the third of a second that the SDK takes to load.

The broker starts a small program in the child's place, which hands its words, variables and streams to the
nursery and ends as the forked child does; a child whose program is killed ends too. What is to be seen from
outside (the command line, the time that a start takes) needs the real child: `own_children`.
"""

from __future__ import annotations

import ast
import gc
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

READY_LIMIT_S = 60.0
STDIN = 0
BROKEN = 70
"""What the program ends with when its child is gone without a word."""

TRUST = "import truststore; truststore.inject_into_ssl()"
LOADS = {
    "azure": (
        "import azure.identity, broker.providers.azure.requests_transport, httpx, anyio._backends._asyncio,"
        " azure.core.pipeline.transport._requests_basic, azure.core.rest._requests_basic, msal_extensions,"
        " cryptography.hazmat.primitives.serialization.pkcs12, azure.identity._credentials.imds"
    ),
    "google": (
        f"{TRUST}; import google.auth.credentials, google.auth.transport.requests, google.oauth2.credentials,"
        " google.auth.impersonated_credentials, google.auth.identity_pool"
    ),
    "aws": f"{TRUST}; import boto3, awscrt.auth, jmespath, dateutil.parser",
}
"""By nursery, in the order in which its children load them. What reads variables while it is loaded is the
child's to load: `google.auth.compute_engine`.
"""

HOME = "/home/of/the/nursery"
OF_THE_HOME = (
    ("botocore.credentials", "SSOProvider", "_SSO_TOKEN_CACHE_DIR"),
    ("botocore.tokens", "SSOTokenProvider", "_SSO_TOKEN_CACHE_DIR"),
    ("botocore.loaders", "Loader", "CUSTOMER_DATA_PATH"),
)
"""What botocore makes of HOME while it is loaded: a module's, a class's. It is moved to the child's home."""

OF_A_CHILD = {
    "broker.providers.azure.sdk_child": "azure",
    "broker.providers.google.google_auth_child": "google",
    "broker.providers.codeartifact.boto3_child": "aws",
    "broker.providers.sts_signer_child": "aws",
}

PROGRAM = """
import _socket, os, sys
way = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
way.connect(sys.argv[1])
said = repr((sys.argv[2:], dict(os.environ), os.getcwd())).encode("utf-8", "surrogateescape")
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
way.sendmsg([len(said).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
while said:
    said = said[way.send(said):]
code = way.recv(1)
os._exit(code[0] if code else 70)
"""


class SdkNursery:
    """A process for each SDK that was asked for, until `close`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sdk-")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def argv(self, module: str, *words: str) -> tuple[str, ...]:
        """What `vendor_tool.sdk_argv` returns: a command that becomes the child `module`."""
        kind = OF_A_CHILD[module]
        place = str(Path(self._folder.name, kind))
        if kind not in self._running:
            self._running[kind] = self._started(kind, place)
        return (sys.executable, "-I", "-S", "-c", PROGRAM, place, module, *words)

    def close(self) -> None:
        """End all of them."""
        for running in self._running.values():
            running.communicate(timeout=READY_LIMIT_S)
        self._folder.cleanup()

    @staticmethod
    def _started(kind: str, place: str) -> subprocess.Popen[bytes]:
        running = subprocess.Popen(
            [sys.executable, "-E", "-P", __file__, place, LOADS[kind]],
            env={**os.environ, "HOME": HOME},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        return running


def serve(place: str, load: str) -> None:
    """Fork a child for each connection, until stdin ends."""
    exec(load, {})  # noqa: S102 - a line of LOADS
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        awaited = (STDIN, listening.fileno())
        while STDIN not in select.select(awaited, (), ())[0]:
            way, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _be_the_child(way)
            way.close()


def _be_the_child(way: socket.socket) -> None:
    code = 1
    try:
        _take_over(way)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        way.send(bytes([code & 0xFF]))
        os._exit(code)


def _take_over(way: socket.socket) -> None:
    """Be what the program was started as."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, *_ = socket.recv_fds(way, 4, 3)
    said = b""
    while len(said) < int.from_bytes(length):
        said += way.recv(65536)
    words, variables, directory = ast.literal_eval(said.decode("utf-8", "surrogateescape"))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(directory)
    for module, owner, name in OF_THE_HOME:
        if module in sys.modules:
            made = getattr(sys.modules[module], owner)
            setattr(made, name, getattr(made, name).replace(HOME, str(Path.home())))
    sys.argv = words
    threading.Thread(target=_end_with, args=(way,), daemon=True).start()


def _end_with(way: socket.socket) -> None:
    """Wait for the end of the program in whose place we are."""
    way.recv(1)
    os._exit(BROKEN)


if __name__ == "__main__":
    serve(*sys.argv[1:])
