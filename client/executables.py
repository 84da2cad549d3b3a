"""What a compiled program is, read from its own bytes: for build_wheels.py, which makes four of them.

Reads ELF (elf(5)) and Mach-O (<mach-o/loader.h>, <kern/cs_blobs.h>), 64 bits, little end first, as far as a
release needs to know: for which machine, on which system it starts, what it would load, whether its signature
is whole. Raises ValueError for anything else.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 2, 3, 0x6474E551
EXECUTABLE_FLAG = 1

MACH_O_MACHINES = {0x01000007: "x86_64", 0x0100000C: "arm64"}
MH_EXECUTE = 2
LC_LOAD_DYLIB, LC_CODE_SIGNATURE, LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION = 0x0C, 0x1D, 0x24, 0x32
PLATFORM_MACOS = 1
CS_SUPERBLOB, CS_DIRECTORY, CS_SHA256 = 0xFADE0CC0, 0xFADE0C02, 2


@dataclass(frozen=True)
class Elf:
    """A program for Linux. `static`: it starts without a loader and loads nothing."""

    machine: str
    static: bool
    executable_stack: bool


@dataclass(frozen=True)
class MachO:
    """A program for macOS. `minimum` is the oldest that starts it.

    `signed` means that it has a signature and all its pages match it. Apple silicon starts nothing
    unsigned; a linker's own (ad hoc) signature is enough.
    """

    machine: str
    minimum: tuple[int, int]
    libraries: tuple[str, ...]
    signed: bool


def read_program(program: bytes) -> Elf | MachO:
    """Return what this program is."""
    try:
        if program.startswith(b"\x7fELF\x02\x01"):
            return _read_elf(program)
        if program.startswith(b"\xcf\xfa\xed\xfe"):
            return _read_mach_o(program)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"a damaged program ({error!r})") from None
    raise ValueError("neither ELF nor Mach-O of 64 bits, little end first")


def _read_elf(program: bytes) -> Elf:
    (machine,) = struct.unpack_from("<H", program, 18)
    (headers_at,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    segments = [struct.unpack_from("<II", program, headers_at + index * size) for index in range(count)]
    kinds = {kind for kind, _ in segments}
    stacks = [flags for kind, flags in segments if kind == PT_GNU_STACK]
    return Elf(
        ELF_MACHINES[machine],
        static=not kinds & {PT_INTERP, PT_DYNAMIC},
        executable_stack=not stacks or any(flags & EXECUTABLE_FLAG for flags in stacks),
    )


def _read_mach_o(program: bytes) -> MachO:
    machine, _, kind = struct.unpack_from("<iII", program, 4)
    if kind != MH_EXECUTE:
        raise ValueError("a Mach-O file that is no program")
    minimum = 0
    libraries = []
    signed = False
    for command, at in _load_commands(program):
        if command == LC_BUILD_VERSION:
            system, minimum = struct.unpack_from("<II", program, at + 8)
            if system != PLATFORM_MACOS:
                raise ValueError("a program for another system of Apple's than macOS")
        elif command == LC_VERSION_MIN_MACOSX:
            (minimum,) = struct.unpack_from("<I", program, at + 8)
        elif command == LC_LOAD_DYLIB:
            (name_at,) = struct.unpack_from("<I", program, at + 8)
            libraries.append(program[at + name_at :].partition(b"\0")[0].decode())
        elif command == LC_CODE_SIGNATURE:
            (signature_at,) = struct.unpack_from("<I", program, at + 8)
            signed = _is_signed(program, signature_at)
    return MachO(MACH_O_MACHINES[machine], (minimum >> 16, minimum >> 8 & 0xFF), tuple(libraries), signed)


def _load_commands(program: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and offset of each load command."""
    (count,) = struct.unpack_from("<I", program, 16)
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", program, at)
        yield command, at
        at += size


def _is_signed(program: bytes, signature_at: int) -> bool:
    """Return whether each page before the signature has the hash that its code directory says."""
    magic, _, count = struct.unpack_from(">III", program, signature_at)
    if magic != CS_SUPERBLOB:
        return False
    for index in range(count):
        (offset,) = struct.unpack_from(">I", program, signature_at + 16 + 8 * index)
        directory = signature_at + offset
        (magic,) = struct.unpack_from(">I", program, directory)
        if magic != CS_DIRECTORY:
            continue
        hashes, _, _, pages, code_bytes = struct.unpack_from(">5I", program, directory + 16)
        size, kind, _, page_bits = struct.unpack_from("BBBB", program, directory + 36)
        if kind != CS_SHA256 or code_bytes != signature_at:
            return False
        return all(
            hashlib.sha256(program[page << page_bits : min((page + 1) << page_bits, code_bytes)]).digest()
            == program[directory + hashes + size * page : directory + hashes + size * (page + 1)]
            for page in range(pages)
        )
    return False
