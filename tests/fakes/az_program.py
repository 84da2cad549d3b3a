"""What runs as the fake `az`: reads its conduct from the control folder and its sign-in from
AZURE_CONFIG_DIR, as `az.py` left them there, writes its call down, and answers or misbehaves.
Standard library only: it must start quickly, and outside the test environment. Next: `az.py`.
"""

from __future__ import annotations

import argparse
import base64
import errno
import fcntl
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.fakes.tokens import AZURE_DEVOPS, Account, entra_token

CONDUCT = "conduct.json"
CALLS = "calls.jsonl"
GATE = "gate"
GRANDCHILDREN = "grandchildren"
SAME_TOKEN = "same-token.json"
LEASH = "leash"
PERSON = "person"
CLAIMS = "claims.json"
CHALLENGE = "--claims-challenge"
_WAIT = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH)"

Mode = Literal["answer", "same", "fail", "garbage", "hang", "hang-with-grandchildren"]


@dataclass(frozen=True)
class Conduct:
    """How az behaves. `age_s` is how long ago a token was issued: a half-used one has half its life."""

    mode: Mode = "answer"
    pause_s: float = 0.0
    lifetime_s: float = 4500.0
    age_s: float = 0.0
    complaint: str = ""  # stderr of mode "fail", and warnings before an answer
    exit_code: int = 1
    tells_epoch: bool = True  # az before 2.54 printed `expiresOn` alone
    touches_profile: bool = False  # rewrite azureProfile.json, as real az may do on any call


class SignedOutError(Exception):
    """What az says, on stderr, with exit code 1."""


def main(control: Path, arguments: list[str]) -> int:
    """Run az with these arguments. Returns its exit code."""
    _write_down(control, arguments)
    conduct = Conduct(**json.loads((control / CONDUCT).read_text()))
    _wait_for(control / GATE)
    time.sleep(conduct.pause_s)
    if conduct.mode.startswith("hang"):
        return _hang(control, conduct.mode)
    if conduct.complaint:
        sys.stderr.write(conduct.complaint + "\n")
    if conduct.mode == "fail":
        return conduct.exit_code
    if conduct.mode == "garbage":
        sys.stdout.write("Traceback? no: <html>captive portal</html>\n")
        return 0
    if arguments[:1] == ["login"]:
        sys.stdout.write(_sign_in(control, arguments) + "\n")
        return 0
    try:
        answer = _answer(control, conduct, arguments)
    except SignedOutError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(answer + "\n")
    return 0


def _write_down(control: Path, arguments: list[str]) -> None:
    profile = os.environ.get("AZURE_CONFIG_DIR")
    call = {"pid": os.getpid(), "arguments": arguments, "config_dir": profile}
    try:
        _append(control / CALLS, json.dumps(call))
    except OSError as error:
        if error.errno != errno.EROFS:  # a sandboxed service's az writes nowhere but in its own folder
            raise


def _wait_for(lock: Path) -> None:
    with lock.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH)


def _append(file: Path, line: str) -> None:
    """One write to an appending descriptor: concurrent calls cannot mix."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(opened, f"{line}\n".encode())
    os.close(opened)


def _hang(control: Path, mode: Mode) -> int:
    """Return when the test that holds the leash has ended, however it ended."""
    if mode == "hang-with-grandchildren":
        # inherits stdout and stderr: whoever reads them to the end waits for it too
        grandchild = subprocess.Popen([sys.executable, "-ISc", _WAIT, control / LEASH])
        _append(control / GRANDCHILDREN, str(grandchild.pid))
    _wait_for(control / LEASH)
    return 1


def _sign_in(control: Path, arguments: list[str]) -> str:
    """Let the person there sign in by their browser; returns the subscriptions, as az prints them."""
    sys.stderr.write("A web browser has been opened at the sign-in page. Please continue the login there.\n")
    (control / CLAIMS).unlink(missing_ok=True)
    if CHALLENGE in arguments:  # decoded as az 2.91 does (core/util.py): without a check of the alphabet
        challenge = arguments[arguments.index(CHALLENGE) + 1]
        (control / CLAIMS).write_text(base64.b64decode(challenge.encode("latin-1")).decode("latin-1"))
    profile = _profile()
    profile.parent.mkdir(mode=0o700, exist_ok=True)
    profile.write_bytes((control / PERSON / profile.name).read_bytes())
    return json.dumps(json.loads(profile.read_text("utf-8-sig"))["subscriptions"], indent=2)


def _answer(control: Path, conduct: Conduct, arguments: list[str]) -> str:
    asked = _parser().parse_args(arguments)
    subscription = _subscription(asked.tenant if asked.verb == "get-access-token" else None)
    if conduct.touches_profile:
        profile = _profile()
        profile.write_bytes(profile.read_bytes())
    if asked.verb == "show":
        return _printed(subscription, asked.query)
    token = _token(control, conduct, asked, subscription)
    return _printed(token, asked.query)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="az", allow_abbrev=False)
    parser.add_argument("--output", "-o", default="json")
    parser.add_argument("--query")
    nouns = parser.add_subparsers(dest="noun", required=True)
    verbs = nouns.add_parser("account").add_subparsers(dest="verb", required=True)
    for verb in ("get-access-token", "show"):
        command = verbs.add_parser(verb, allow_abbrev=False)
        command.add_argument("--output", "-o", default="json")
        command.add_argument("--query")
        command.add_argument("--subscription")
        if verb == "get-access-token":
            command.add_argument("--resource")
            command.add_argument("--scope")
            command.add_argument("--tenant")
    return parser


def _profile() -> Path:
    home = os.environ.get("AZURE_CONFIG_DIR") or str(Path.home() / ".azure")
    return Path(home) / "azureProfile.json"


def _subscription(tenant: str | None) -> dict[str, object]:
    """The signed-in subscription of the tenant, the default one without. Raises SignedOutError."""
    try:
        listed: list[dict[str, object]] = json.loads(_profile().read_text("utf-8-sig"))["subscriptions"]
    except FileNotFoundError:
        listed = []
    if not listed:
        raise SignedOutError("ERROR: Please run 'az login' to setup account.")
    fitting = [one for one in listed if one["isDefault"]]
    if tenant is not None:
        fitting = [one for one in listed if one["tenantId"] == tenant]
    if not fitting:
        raise SignedOutError(
            "ERROR: AADSTS50020: User account does not exist in the tenant and cannot access the application."
            " Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-02 03:04:05Z\n"
            "Interactive authentication is needed. Please run:\n"
            f'az login --tenant "{tenant}" --scope "{AZURE_DEVOPS}/.default"'
        )
    return fitting[0]


def _token(
    control: Path, conduct: Conduct, asked: argparse.Namespace, subscription: dict[str, object]
) -> dict[str, object]:
    kept = control / SAME_TOKEN
    if conduct.mode == "same" and kept.exists():
        told: dict[str, object] = json.loads(kept.read_text())
        return told
    user = subscription["user"]
    assert isinstance(user, dict)
    account = Account(
        str(user["name"]), str(subscription["tenantId"]), application=user["type"] == "servicePrincipal"
    )
    issued_at = time.time() - conduct.age_s
    ends = int(issued_at + conduct.lifetime_s)
    resource = asked.resource or str(asked.scope or AZURE_DEVOPS).removesuffix("/.default")
    wanted = control / CLAIMS
    token = entra_token(
        account,
        issued_at=issued_at,
        lifetime_s=conduct.lifetime_s,
        resource=resource,
        asked=wanted.read_text() if wanted.exists() else None,
    )
    local = datetime.fromtimestamp(ends, UTC).astimezone().replace(tzinfo=None)
    answer: dict[str, object] = {
        "accessToken": token,
        "expiresOn": local.isoformat(sep=" ", timespec="microseconds"),
        **({"expires_on": ends} if conduct.tells_epoch else {}),
        "subscription": subscription["id"],
        "tenant": account.tenant,
        "tokenType": "Bearer",
    }
    if conduct.mode == "same":
        kept.write_text(json.dumps(answer))
    return answer


def _printed(answer: dict[str, object], query: str | None) -> str:
    """The answer as JSON; of `--query`, only a path of names is understood."""
    value: object = answer
    for name in (query or "").split(".") if query else []:
        assert isinstance(value, dict)
        value = value.get(name)
    return json.dumps(value, indent=2)
