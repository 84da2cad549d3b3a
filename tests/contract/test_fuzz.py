"""The whole native shim under libFuzzer and the sanitizers: any arguments, any answer (native/fuzz.c)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import answer_tables
from tests.contract.conftest import Session
from tests.contract.shims import CLIENT, FLAGS, RUN_LIMIT_S, SANITIZER_EXIT
from tests.contract.test_dialects import DIALECTS, NOT_LOOKUPS

NATIVE = Path(__file__).parent / "native"
CORPUS = NATIVE / "corpus"
SANITIZERS = ("-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
FEW_RUNS = 10_000
LONG_S = 300
SHORT_BYTES, LONG_BYTES = 2_000, 70_000  # of an input; a broker's answer may have 65,536
WORDS = (
    *("--mode", "--mode=creds", "--mode=password", "--output=json", "--output", "get", "https://"),
    *("TOKEN_BROKER_TIMEOUT=", "TOKEN_BROKER_TRUST_UID=", "HTTP/1.1 200 OK", "HTTP/1.1 503 "),
    *("content-length: ", "transfer-encoding: ", "token-broker: ", "\\x0d\\x0a", "\\x0d\\x0a\\x0d\\x0a"),
    *("\\x0a", "\\xc2\\x9b"),
)


def has_fuzzer() -> bool:
    """Whether clang and the runtime of its libFuzzer are here: Debian's libclang-rt-dev."""
    if shutil.which("clang") is None:
        return False
    told = subprocess.run(["clang", "--print-runtime-dir"], capture_output=True, text=True, check=True).stdout
    return any(Path(told.strip()).glob("libclang_rt.fuzzer-*"))


@pytest.fixture(scope="module")
def target(session: Session) -> Path:
    """The fuzz target, compiled; the user that runs it has no system broker."""
    if not has_fuzzer():
        pytest.skip("libFuzzer is clang's, which is not here")
    program = session.folder / "fuzz"
    system = f'-DSYSTEM_SOCKET="{session.folder}/nowhere/s"'
    command = ["clang", *FLAGS, *SANITIZERS, system, "-I", str(CLIENT), "-o", str(program)]
    subprocess.run([*command, str(NATIVE / "fuzz.c"), "-lpthread"], check=True, timeout=RUN_LIMIT_S)
    return program


@pytest.fixture
def seeds(place: Path) -> Path:
    """What the tables of the contract have, an input each."""
    folder = place / "seeds"
    folder.mkdir()
    for number, seed in enumerate(_seeds()):
        (folder / str(number)).write_bytes(seed)
    return folder


def _seeds() -> Iterator[bytes]:
    good = answer_tables.ok(answer_tables.BODY)
    for arguments in (*NOT_LOOKUPS.values(), *(arguments for arguments, _, _ in DIALECTS.values())):
        yield b"".join((argument or '""').encode() + b"\n" for argument in arguments) + b"\n" + good
    for table in (answer_tables.GOOD, answer_tables.MALFORMED, answer_tables.HALF):
        for answer in table.values():
            yield b"get\nhttps://feed.example/\nFred\n\n" + answer[:SHORT_BYTES]
    for text in ("5", "0.001", "x"):
        yield f"TOKEN_BROKER_TIMEOUT={text}\nTOKEN_BROKER_TRUST_UID={text}\nget\nx\ny\n\n".encode() + good


def fuzz(target: Path, place: Path, *arguments: str, limit_s: float) -> str:
    """Fuzz until `arguments` end it, and return what was said; the input that broke it is shown."""
    dictionary = place / "words"
    dictionary.write_text("".join(f'"{word}"\n' for word in WORDS))
    found = place / "found"
    found.mkdir()
    told = place / "told"  # a look-up's standard error is taken: the sanitizers must write elsewhere
    options = f"log_path={told}:exitcode={SANITIZER_EXIT}"
    done = subprocess.run(
        [
            str(target),
            "-seed=1",
            f"-dict={dictionary}",
            f"-artifact_prefix={place}/broken-",
            *arguments,
            str(found),
            *(str(folder) for folder in (place / "seeds", CORPUS) if folder.is_dir()),
        ],
        env={"TMPDIR": str(place), "ASAN_OPTIONS": f"{options}:detect_leaks=0", "UBSAN_OPTIONS": options},
        cwd=place,
        capture_output=True,
        check=False,
        timeout=limit_s,
    )
    said = done.stderr.decode(errors="replace")
    reports = [file.read_text(errors="replace") for file in place.glob("told.*")]
    broken = [file.read_bytes() for file in place.glob("broken-*")]
    assert done.returncode == 0, (said[-2000:], *reports, broken)
    return said


def test_short_fuzz_of_arguments_and_answers_finds_nothing(target: Path, seeds: Path, place: Path) -> None:
    assert seeds.is_dir()

    said = fuzz(target, place, f"-runs={FEW_RUNS}", f"-max_len={SHORT_BYTES}", limit_s=RUN_LIMIT_S)

    assert f"Done {FEW_RUNS} runs" in said


@pytest.mark.long
def test_long_fuzz_of_arguments_and_answers_finds_nothing(target: Path, seeds: Path, place: Path) -> None:
    assert seeds.is_dir()

    said = fuzz(
        target, place, f"-max_total_time={LONG_S}", f"-max_len={LONG_BYTES}", limit_s=LONG_S + RUN_LIMIT_S
    )

    assert "Done " in said
