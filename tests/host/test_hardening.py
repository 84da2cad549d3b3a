import inspect
import json
import os
import sys

import pytest

from broker.host import hardening
from tests.host.users import STRANGER, start_as

VICTIM = """
import ctypes, json, os, resource, socket, sys
exec(sys.stdin.readline().encode().decode("unicode_escape"))
secret = ctypes.create_string_buffer(b"TBKTEST-" + b"s" * 24)
held = os.open("/dev/null", os.O_RDONLY)
took = tuple(close_to_others()) if sys.argv[1] == "closed" else None
core = resource.getrlimit(resource.RLIMIT_CORE)
print(json.dumps([ctypes.addressof(secret), held, took, core]), flush=True)
sys.stdin.readline()
"""
"""Says where its secret is, and stays until it is told to go."""

ATTACKER = """
import ctypes, json, os, sys
pid, address, held = map(int, sys.argv[1:])
libc = ctypes.CDLL(None, use_errno=True)

def read(name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return bool(file.read(16))

def mem():
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        file.seek(address)
        return file.read(8) == b"TBKTEST-"

def ptrace():
    if libc.ptrace(16, pid, None, None):
        return False
    os.waitpid(pid, 0x40000000)
    libc.ptrace(17, pid, None, None)
    return True

def process_vm_readv():
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    copy = ctypes.create_string_buffer(8)
    here, there = Vector(ctypes.addressof(copy), 8), Vector(address, 8)
    libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return copy.raw == b"TBKTEST-"

def pidfd_getfd():
    return libc.syscall(438, os.pidfd_open(pid), held, 0) >= 0

ways = {
    "mem": mem,
    "environ": lambda: read("environ"),
    "maps": lambda: read("maps"),
    "fd": lambda: bool(os.listdir(f"/proc/{pid}/fd")),
    "ptrace": ptrace,
    "process_vm_readv": process_vm_readv,
    "pidfd_getfd": pidfd_getfd,
}
open_ways = []
for name, way in ways.items():
    try:
        if way():
            open_ways.append(name)
    except OSError:
        pass
print(json.dumps(open_ways))
"""
"""Tries seven ways into another process of the same user, and prints those that are open."""

WAYS = {"mem", "environ", "maps", "fd", "ptrace", "process_vm_readv", "pidfd_getfd"}

# root is let in everywhere: victim and attacker must be somebody else
ANYBODY = STRANGER if os.geteuid() == 0 else os.geteuid()

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the seven ways are Linux's")


def attacked(state: str) -> tuple[set[str], list[object], list[int]]:
    """The ways that are open into a process in this state, what took effect there, and its core limits."""
    source = inspect.getsource(hardening).encode("unicode_escape").decode()
    with start_as(ANYBODY, VICTIM, state) as victim:
        assert victim.stdin is not None
        assert victim.stdout is not None
        victim.stdin.write(source + "\n")
        victim.stdin.flush()
        address, held, took, core = json.loads(victim.stdout.readline())
        with start_as(ANYBODY, ATTACKER, str(victim.pid), str(address), str(held)) as attacker:
            told, _ = attacker.communicate(timeout=60)
        victim.communicate("\n", timeout=60)
    return set(json.loads(told)), took, core


def test_a_closed_process_is_shut_in_all_seven_ways() -> None:
    control, _, _ = attacked("open")
    ways, took, core = attacked("closed")

    assert WAYS >= control >= {"environ", "maps", "fd"}  # Yama may shut the others for everybody
    assert ways == set()
    assert took == [True, True]
    assert core == [0, 0]
