"""The accounts of uv and pip, read from what those programs really wrote: `accounts/NAME-VERSION/CASE.txt`.

Each was recorded with an index that wants a password, for `install` without a user name (nouser), with the
feed's (user), with another (wronguser), with an old password in the URL (password), from netrc (netrc), in a
variable with or without a user name (varpw, lonepw), with the keyring off (off) or not on PATH (nokeyring),
and with uv's `authenticate` (always, never).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.ctl.why import pip_account, uv_account
from broker.ctl.why.account import AccountAct, AccountStep, ClientAccount, Source
from broker.ctl.why.account_stream import HELD_MAX, AccountStream, plain

ACCOUNTS = Path(__file__).parent / "accounts"
UVS = ("0.5.31", "0.8.24", "0.13.9")
PIPS = ("20.3.4", "22.3.1", "25.3", "26.3")
PASSWORDS = (b"stalepw", b"correct-horse-battery")
INDEX = "https://packages.example/simple/"


def recorded(client: str, version: str, case: str) -> bytes:
    return (ACCOUNTS / f"{client}-{version}" / f"{case}.txt").read_bytes()


def taken_apart(
    stream: bytes, pieces: int = 1 << 20, *, takes_all: bool = True, shown: frozenset[str] = frozenset()
) -> tuple[bytes, list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    account = AccountStream(lambda *line: heard.append(line), takes_all=takes_all, shown=shown)
    passed = b"".join(account.feed(stream[at : at + pieces]) for at in range(0, len(stream), pieces))
    return passed + account.flush(ended=True), heard


def uv_steps(version: str, case: str) -> set[tuple[AccountAct, Source | None]]:
    passed, heard = taken_apart(recorded("uv", version, case))
    steps = [step for _, text in heard for step in uv_account.steps_of(text)]
    return {(each.act, each.source) for each in (*steps, *uv_account.refusals_in(plain(passed)))}


def pip_account_of(version: str, case: str) -> ClientAccount:
    account = ClientAccount()
    for line in recorded("pip", version, case).decode().splitlines():
        message = pip_account.message_of(line)
        if message is not None:
            account.add(pip_account.steps_of(message))
            named = pip_account.version_of(message)
            account.versions.update({} if named is None else {"pip": named})
    return account


REFUSED = (AccountAct.REFUSED, None)


@pytest.mark.parametrize("version", UVS)
@pytest.mark.parametrize(
    ("case", "has", "lacks"),
    [
        ("nouser", {(AccountAct.SKIPPED, None), REFUSED}, {AccountAct.ASKED, AccountAct.FOUND}),
        (
            "user",
            {(AccountAct.ASKED, None), (AccountAct.FOUND, Source.KEYRING), (AccountAct.ACCEPTED, None)},
            {AccountAct.SKIPPED},
        ),
        ("wronguser", {(AccountAct.ASKED, None), REFUSED}, {AccountAct.FOUND}),
        ("password", {(AccountAct.FOUND, Source.OWN), REFUSED}, {AccountAct.ASKED, AccountAct.SKIPPED}),
        ("varpw", {(AccountAct.FOUND, Source.OWN), REFUSED}, {AccountAct.ASKED, AccountAct.SKIPPED}),
        ("lonepw", {(AccountAct.FOUND, Source.OWN), REFUSED}, {AccountAct.ASKED, AccountAct.SKIPPED}),
        ("netrc", {(AccountAct.FOUND, Source.NETRC), REFUSED}, {AccountAct.ASKED}),
        ("off", {REFUSED}, {AccountAct.ASKED, AccountAct.SKIPPED, AccountAct.FOUND}),
        ("nokeyring", {(AccountAct.ASKED, None), (AccountAct.NOT_RUN, None), REFUSED}, {AccountAct.FOUND}),
    ],
)
def test_every_uv_tells_the_same_of_the_same_case(
    version: str, case: str, has: set[tuple[AccountAct, Source | None]], lacks: set[AccountAct]
) -> None:
    steps = uv_steps(version, case)

    assert has <= steps
    assert not lacks & {act for act, _ in steps}


@pytest.mark.parametrize("version", UVS[1:])
@pytest.mark.parametrize(("case", "policy"), [("always", "always"), ("never", "never"), ("nouser", "auto")])
def test_uv_tells_its_policy(version: str, case: str, policy: str) -> None:
    _, heard = taken_apart(recorded("uv", version, case))
    steps = [step for _, text in heard for step in uv_account.steps_of(text)]

    assert {step.detail for step in steps if step.act is AccountAct.REQUESTED} == {policy}


@pytest.mark.parametrize("version", UVS)
def test_uv_is_asked_as_the_user_of_the_index(version: str) -> None:
    _, heard = taken_apart(recorded("uv", version, "wronguser"))
    [asked] = [
        step for _, text in heard for step in uv_account.steps_of(text) if step.act is AccountAct.ASKED
    ]

    assert asked.username == "jane"
    assert asked.url.startswith(INDEX)


@pytest.mark.parametrize(
    ("case", "has", "lacks"),
    [
        ("nouser", set(), {Source.OWN, Source.NETRC}),
        ("password", {Source.OWN}, {Source.KEYRING}),
        ("netrc", {Source.NETRC}, {Source.OWN}),
    ],
)
@pytest.mark.parametrize("version", PIPS)
def test_every_pip_says_where_a_password_is_from(
    version: str, case: str, has: set[Source], lacks: set[Source]
) -> None:
    account = pip_account_of(version, case)

    sources = {step.source for step in account.of(AccountAct.FOUND)}
    assert has <= sources
    assert not lacks & sources
    assert account.versions == {"pip": version}


@pytest.mark.parametrize("version", PIPS[1:])
@pytest.mark.parametrize("case", ["wronguser", "password", "off", "nokeyring"])
def test_every_pip_says_which_index_refused_it(version: str, case: str) -> None:
    refusals = list(pip_account_of(version, case).of(AccountAct.REFUSED))

    assert {step.status for step in refusals} == {401}
    assert all(step.url.startswith(INDEX) for step in refusals)


@pytest.mark.parametrize(("case", "names"), [("user", ["subprocess"]), ("nokeyring", ["disabled"])])
@pytest.mark.parametrize("version", PIPS[2:])
def test_pip_names_its_provider(version: str, case: str, names: list[str]) -> None:
    assert [step.detail for step in pip_account_of(version, case).of(AccountAct.PROVIDER)] == names


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
@pytest.mark.parametrize("case", ["nouser", "user", "password", "nokeyring"])
@pytest.mark.parametrize("takes_all", [True, False])
def test_the_account_is_taken_out_however_it_comes_in_pieces(
    case: str, pieces: int, *, takes_all: bool
) -> None:
    stream = recorded("uv", "0.13.9", case)

    passed, heard = taken_apart(stream, pieces, takes_all=takes_all)

    assert (passed, heard) == taken_apart(stream, takes_all=True)
    assert not any(level in passed for level in (b"TRACE", b"DEBUG", b"WARN"))


@pytest.mark.parametrize("case", [path.stem for path in sorted((ACCOUNTS / "uv-0.5.31").iterdir())])
def test_no_password_of_an_old_uvs_trace_passes(case: str) -> None:
    passed, _ = taken_apart(recorded("uv", "0.5.31", case), takes_all=False)

    assert not any(password in passed for password in PASSWORDS)


@pytest.mark.parametrize("case", [path.stem for path in sorted((ACCOUNTS / "uv-0.5.31").iterdir())])
def test_no_password_is_in_a_step(case: str) -> None:
    _, heard = taken_apart(recorded("uv", "0.5.31", case))

    steps = repr([step for _, text in heard for step in uv_account.steps_of(text)])
    assert not any(password.decode() in steps for password in PASSWORDS)


@pytest.mark.parametrize(
    ("printed", "level"),
    [
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", "trace"),
        ("uvx 0.7.4", "trace"),
        ("uv 0.7.3", "debug"),
        ("uv 0.5.31", "debug"),
        ("something else", "debug"),
    ],
)
def test_a_uv_that_shows_passwords_in_its_trace_is_not_asked_for_it(printed: str, level: str) -> None:
    assert uv_account.level_for(uv_account.version_in(printed)) == level


COLOURED = "\x1b[35mTRACE\x1b[39m Handling request for `https://a.example/simple/`\r\n"


@pytest.mark.parametrize("pieces", [1, 3, 10, 1000])
@pytest.mark.parametrize(
    ("stream", "passed"),
    [
        ("a\n" + COLOURED + "b\n", "a\nb\n"),
        ("\x1b[2K| Resolving" + COLOURED + "\x1b[2K", "\x1b[2K| Resolving\x1b[2K"),
        ("  | " + COLOURED + "b", "b"),
        ("\r" + COLOURED, "\r"),
        ("TRACE my own line\nDEBUG: another\n", "TRACE my own line\nDEBUG: another\n"),
        ("x = TRACE Handling request for `u`\n", "x = TRACE Handling request for `u`\n"),
        ("no end of line, WARN", "no end of line, WARN"),
        ("TRACE Handling request for `https://a.example/`", ""),
    ],
)
def test_only_the_account_is_taken_out(stream: str, passed: str, pieces: int) -> None:
    assert taken_apart(stream.encode(), pieces, takes_all=False)[0] == passed.encode()


def test_lines_that_the_user_asked_for_pass_and_are_heard() -> None:
    passed, heard = taken_apart(
        b"DEBUG No netrc file found\nTRACE Caching credentials for `u`\n", shown=frozenset({"DEBUG"})
    )

    assert passed == b"DEBUG No netrc file found\n"
    assert len(heard) == 2


def test_an_endless_line_of_the_account_is_not_kept() -> None:
    account = AccountStream(lambda *_: None, takes_all=True)
    begun = b"TRACE Handling request for `https://a.example/" + b"x" * HELD_MAX

    assert [account.feed(begun), account.feed(b"y" * HELD_MAX), account.feed(b"\nz\n")] == [b"", b"", b"z\n"]


def test_any_bytes_pass_unchanged() -> None:
    stream = bytes(range(256)) * 600 + b"\xff\xfe\n\r\n\n" + b"no newline"

    assert taken_apart(stream, 1000)[0] == stream


def test_a_prompt_waits_for_no_newline() -> None:
    account = AccountStream(lambda *_: None, takes_all=True)

    assert account.feed(b"DE") + account.flush() == b"DE"
    assert account.feed(b"BUG? ") == b"BUG? "


def test_the_steps_of_a_run_are_bounded() -> None:
    account = ClientAccount()

    account.add(
        AccountStep("uv", AccountAct.REQUESTED, f"https://a.example/{number}") for number in range(10_000)
    )

    assert len(account.steps) == 4096


def test_lines_of_a_uv_nobody_has_seen_mean_nothing() -> None:
    _, heard = taken_apart(
        recorded("uv", "0.13.9", "nouser").replace(b"keyring", b"vault").replace(b"equest", b"all")
    )

    steps = [step for _, text in heard for step in uv_account.steps_of(text)]
    assert {step.act for step in steps} <= {AccountAct.REQUESTED}
