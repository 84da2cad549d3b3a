"""The accounts of clients that nobody has seen: each line of the recorded ones renamed or left out, one kind
at a time. Then `why` says what it said of the whole account, or what was seen; it claims nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why import pip_account, screen, uv_account
from broker.ctl.why.account import ClientAccount
from broker.ctl.why.account_stream import plain
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import by_index
from broker.ctl.why.index_reports import report_of
from broker.ctl.why.recorded_run import Lookup, RecordedRun
from tests.ctl.test_accounts import INDEX, PIPS, UVS, recorded, taken_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.ctl.doctor.finding import Finding
    from tests.ctl.clinic import Clinic

AS_CI, AS_JANE, WITH_STALE = (INDEX.replace("//", f"//{login}@") for login in ("ci", "jane", "ci:stalepw"))
CONFIG = f'auto = false\n[[feed]]\nname = "plain"\nurl = "{INDEX}"\nprovider = "basic"\nusername = "ci"\n'
HOST = ("packages", "example")
NETRC = "machine packages.example login ci password stalepw\n"

CASES = {
    "nouser": ("no-username", INDEX, {}),
    "wronguser": ("other-user", AS_JANE, {}),
    "password": ("own-password", WITH_STALE, {}),
    "netrc": ("netrc", INDEX, {"NETRC": "netrc"}),
    "varpw": ("own-password", INDEX, {"UV_INDEX_CORP_USERNAME": "ci", "UV_INDEX_CORP_PASSWORD": "stalepw"}),
    "lonepw": ("own-password", INDEX, {"UV_INDEX_CORP_PASSWORD": "stalepw"}),
    "off": ("provider", AS_CI, {"UV_KEYRING_PROVIDER": "", "PIP_KEYRING_PROVIDER": ""}),
    "nokeyring": ("shim", AS_CI, {"PATH": "/usr/bin:/bin"}),
    "never": ("never", INDEX, {}),
}
"""What each recorded case is found to be, its index, and its variables."""

QUICK = [
    (UVS[-1], "nouser"),
    (UVS[-1], "netrc"),
    (UVS[-1], "off"),
    (PIPS[-2], "nouser"),
    (PIPS[-1], "password"),
]
"""Those that every run of the tests has."""

OF_UV = [
    pytest.param(version, case, marks=() if (version, case) in QUICK else pytest.mark.long)
    for version in UVS
    for case in CASES
    if (version, case) != ("0.5.31", "never")
]
OF_PIP = [
    pytest.param(version, case, marks=() if (version, case) in QUICK else pytest.mark.long)
    for version in PIPS
    for case in CASES
    if case not in {"varpw", "lonepw", "never"}
]
TRUE_WITHOUT_A_NAME = {"stranger", "no-username"}
"""What may be said of an index without a user name, whatever else is wrong."""

WITHOUT_KEYRING = ("20.3.4", "22.3.1")
"""pips of which it may always be said that they run no keyring."""

TELLS = re.compile(r"TRACE|DEBUG|WARN|pip [0-9]|[Kk]eyring|[Cc]redential|index|40[13]|fetch")
"""In the lines of an account that mean something to us; the others are left as they are."""

TOLD_AS_SEEN = {"seen", "unknown-account", "no-client", "not-ours"}
CLAIMS = re.compile(r"was not refused|no index was refused|is about something else")

_PARTS_THAT_DIFFER = re.compile(r"https?://\S+|/\S+|[0-9][0-9:.,T-]*|\bfor \S+|with executable.*")


def kinds_of(lines: list[str]) -> list[str]:
    """The lines, reduced to what their kind has in common."""
    return [_PARTS_THAT_DIFFER.sub("", re.sub(r"\x1b\[[0-9;]*m", "", line)).strip() for line in lines]


def renamed(line: str) -> str:
    """The line in other words: its addresses, its level and its time stay."""
    words = re.split(r"(\s+)", line)
    keeps = ("TRACE", "DEBUG", "WARN", "://", "\x1b")
    return "".join(
        word if not word.strip() or any(each in word for each in keeps) or word[0].isdigit() else f"n{word}x"
        for word in words
    )


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Each kind of line renamed, then left out; then each word of the account in another spelling."""
    lines = text.splitlines(keepends=True)
    kinds = [kind if TELLS.search(line) else "" for kind, line in zip(kinds_of(lines), lines, strict=True)]
    for kind in dict.fromkeys(filter(None, kinds)):
        ours = [each == kind for each in kinds]
        yield (
            f"renamed: {kind}",
            "".join(renamed(line) if mine else line for line, mine in zip(lines, ours, strict=True)),
        )
        yield (
            f"left out: {kind}",
            "".join(line for line, mine in zip(lines, ours, strict=True) if not mine),
        )
    for word in sorted({word for kind in kinds for word in re.findall(r"[A-Za-z]{4,}", kind)}):
        if word not in {*uv_account.LEVELS, *HOST}:
            yield f"word: {word}", re.sub(rf"\b{word}\b", f"{word}oo", text)


def findings(clinic: Clinic, client: str, case: str, account: ClientAccount, said: str) -> list[Finding]:
    """What `why` says of a command with this account."""
    _, url, variables = CASES[case]
    clinic.configure(CONFIG)
    clinic.write("netrc", NETRC)
    shim = clinic.home / ".local/bin/keyring"
    if not shim.exists():
        clinic.write("~/keyring-shim", "#!/bin/sh\n", 0o755)
        shim.parent.mkdir(parents=True)
        shim.symlink_to(clinic.home / "keyring-shim")
    environ = {**clinic.environ, "UV_KEYRING_PROVIDER": "subprocess", "PIP_KEYRING_PROVIDER": "subprocess"}
    environ |= variables
    if "NETRC" in variables:
        environ["NETRC"] = str(clinic.project / "netrc")
    words = [client, "install", *(("--default-index", f"corp={url}") if client == "uv" else ("-i", url))]
    if case == "never":
        words = ["uv", "sync"]
        clinic.write(
            "uv.toml", f'[[index]]\nname = "corp"\nurl = "{url}"\ndefault = true\nauthenticate = "never"\n'
        )
    miss = Lookup("2026-11-28T07:09:32Z", 1 << 30, INDEX, None, "miss", None)
    run = RecordedRun(2, account, said, [miss] if case == "wronguser" else [], {})
    evidence = Evidence(options_of(words), run, UserDirs(clinic.home, environ), clinic.project)
    return screen.findings([report_of(each, evidence) for each in by_index(evidence)], run, [])


def of_uv(clinic: Clinic, case: str, text: str) -> list[Finding]:
    account = ClientAccount()
    passed, heard = taken_apart(text.encode())
    for _, line in heard:
        account.add(uv_account.steps_of(line))
        account.unknown += not uv_account.is_known(line)
    account.add(uv_account.refusals_in(plain(passed)))
    return findings(clinic, "uv", case, account, passed.decode())


def of_pip(clinic: Clinic, case: str, text: str) -> list[Finding]:
    account = ClientAccount()
    for line in text.splitlines():
        message = pip_account.message_of(line)
        if message is not None:
            named = pip_account.version_of(message)
            account.versions.update({} if named is None else {"pip": named})
            account.add(pip_account.steps_of(message))
    return findings(clinic, "pip", case, account, "")


def wrong_claims(found: list[Finding], truth: set[str]) -> list[str]:
    """What is said beyond the truth and what was seen."""
    return [
        f"{each.check}: {each.said}"
        for each in found
        if each.check not in truth | TOLD_AS_SEEN or CLAIMS.search(each.said)
    ]


@pytest.mark.parametrize(("version", "case"), OF_UV)
def test_a_uv_that_nobody_has_seen_leads_to_no_wrong_claim(clinic: Clinic, version: str, case: str) -> None:
    text = recorded("uv", version, case).decode()
    whole = {each.check for each in of_uv(clinic, case, text)}
    whole |= set() if "@" in CASES[case][1] else {"stranger"}

    wrong = {name: wrong_claims(of_uv(clinic, case, mutant), whole) for name, mutant in mutants(text)}

    assert CASES[case][0] in whole
    assert [f"{name} -> {said}" for name, said in wrong.items() if said] == []


@pytest.mark.parametrize(("version", "case"), OF_PIP)
def test_a_pip_that_nobody_has_seen_leads_to_no_wrong_claim(clinic: Clinic, version: str, case: str) -> None:
    text = recorded("pip", version, case).decode()
    whole = {each.check for each in of_pip(clinic, case, text)}
    whole |= {CASES[case][0]} | (set() if "@" in CASES[case][1] else TRUE_WITHOUT_A_NAME)
    whole |= {"old-pip"} if version in WITHOUT_KEYRING else set()

    wrong = {name: wrong_claims(of_pip(clinic, case, mutant), whole) for name, mutant in mutants(text)}

    assert [f"{name} -> {said}" for name, said in wrong.items() if said] == []
