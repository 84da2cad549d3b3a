"""What runs as the fake `az`: reads its conduct from the control folder and its sign-in from
AZURE_CONFIG_DIR, as `az.py` left them there, writes its call down, and answers or misbehaves.
Standard library only, and only what loads in a few milliseconds: each of hundreds of calls is a process.
It runs outside the test environment, too. Next: `az.py`.
"""

# ruff: noqa: PTH103, PTH110, PTH111, PTH123 - pathlib takes as long to load as half of the rest

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import sys
import time
from typing import Literal, NamedTuple

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
OPTIONS = {
    "show": {"--output", "-o", "--query", "--subscription"},
    "get-access-token": {
        *("--output", "-o", "--query", "--subscription"),
        *("--resource", "--scope", "--tenant"),
    },
}
"""What `az account VERB` understands here."""

_WAIT = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH)"

Mode = Literal["answer", "same", "fail", "garbage", "hang", "hang-with-grandchildren"]


class Conduct(NamedTuple):
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


def main(control: str, arguments: list[str]) -> int:
    """Run az with these arguments. Returns its exit code."""
    _write_down(control, arguments)
    conduct = Conduct(**json.loads(_read(f"{control}/{CONDUCT}")))
    _wait_for(f"{control}/{GATE}")
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


def _write_down(control: str, arguments: list[str]) -> None:
    profile = os.environ.get("AZURE_CONFIG_DIR")
    call = {"pid": os.getpid(), "arguments": arguments, "config_dir": profile}
    try:
        _append(f"{control}/{CALLS}", json.dumps(call))
    except OSError as error:
        if error.errno != errno.EROFS:  # a sandboxed service's az writes nowhere but in its own folder
            raise


def _wait_for(lock: str) -> None:
    with open(lock, "rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH)


def _append(file: str, line: str) -> None:
    """One write to an appending descriptor: concurrent calls cannot mix."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(opened, f"{line}\n".encode())
    os.close(opened)


def _hang(control: str, mode: Mode) -> int:
    """Return when the test that holds the leash has ended, however it ended."""
    if mode == "hang-with-grandchildren":
        # inherits stdout and stderr: whoever reads them to the end waits for it too
        import subprocess  # noqa: PLC0415 - takes as long to load as all the rest

        grandchild = subprocess.Popen([sys.executable, "-ISc", _WAIT, f"{control}/{LEASH}"])
        _append(f"{control}/{GRANDCHILDREN}", str(grandchild.pid))
    _wait_for(f"{control}/{LEASH}")
    return 1


def _sign_in(control: str, arguments: list[str]) -> str:
    """Let the person there sign in by their browser; returns the subscriptions, as az prints them."""
    sys.stderr.write("A web browser has been opened at the sign-in page. Please continue the login there.\n")
    challenge = None
    if CHALLENGE in arguments:  # decoded as az 2.91 does (core/util.py): without a check of the alphabet
        asked = arguments[arguments.index(CHALLENGE) + 1]
        challenge = base64.b64decode(asked.encode("latin-1")).decode("latin-1")
    _write(f"{control}/{CLAIMS}", challenge or "")
    folder, _, name = _profile().rpartition("/")
    os.makedirs(folder, 0o700, exist_ok=True)
    profile = _read(f"{control}/{PERSON}/{name}")
    _write(_profile(), profile)
    return json.dumps(_subscriptions(profile), indent=2)


def _answer(control: str, conduct: Conduct, arguments: list[str]) -> str:
    verb, options = _understood(arguments)
    subscription = _subscription(options.get("--tenant"))
    if conduct.touches_profile:
        _write(_profile(), _read(_profile()))
    if verb == "show":
        return _printed(subscription, options.get("--query"))
    return _printed(_token(control, conduct, options, subscription), options.get("--query"))


def _understood(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """The verb, and the options with their values. Exits with 2 for what az would not take either."""
    _, verb, *words = arguments if arguments[:1] == ["account"] else ["", ""]
    options = dict(zip(words[::2], words[1::2], strict=False))
    if not options.keys() <= OPTIONS.get(verb, set()) or len(words) % 2 or verb not in OPTIONS:
        sys.stderr.write(f"az: error: unrecognized arguments: {' '.join(arguments)}\n")
        sys.exit(2)
    return verb, options


def _profile() -> str:
    home = os.environ.get("AZURE_CONFIG_DIR") or os.path.expanduser("~/.azure")
    return f"{home}/azureProfile.json"


def _subscriptions(profile: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(profile.removeprefix("\ufeff"))["subscriptions"]
    return listed


def _read(file: str) -> str:
    with open(file, encoding="utf-8") as opened:
        return opened.read()


def _write(file: str, text: str) -> None:
    with open(file, "w", encoding="utf-8") as opened:
        opened.write(text)


def _subscription(tenant: str | None) -> dict[str, object]:
    """The signed-in subscription of the tenant, the default one without. Raises SignedOutError."""
    try:
        listed = _subscriptions(_read(_profile()))
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
    control: str, conduct: Conduct, options: dict[str, str], subscription: dict[str, object]
) -> dict[str, object]:
    kept = f"{control}/{SAME_TOKEN}"
    if conduct.mode == "same" and os.path.exists(kept):
        told: dict[str, object] = json.loads(_read(kept))
        return told
    user = subscription["user"]
    assert isinstance(user, dict)
    account = Account(
        str(user["name"]), str(subscription["tenantId"]), application=user["type"] == "servicePrincipal"
    )
    issued_at = time.time() - conduct.age_s
    ends = int(issued_at + conduct.lifetime_s)
    resource = options.get("--resource") or options.get("--scope", AZURE_DEVOPS).removesuffix("/.default")
    wanted = f"{control}/{CLAIMS}"
    token = entra_token(
        account,
        issued_at=issued_at,
        lifetime_s=conduct.lifetime_s,
        resource=resource,
        asked=(_read(wanted) or None) if os.path.exists(wanted) else None,
    )
    answer: dict[str, object] = {
        "accessToken": token,
        "expiresOn": time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(ends)),
        **({"expires_on": ends} if conduct.tells_epoch else {}),
        "subscription": subscription["id"],
        "tenant": account.tenant,
        "tokenType": "Bearer",
    }
    if conduct.mode == "same":
        _write(kept, json.dumps(answer))
    return answer


def _printed(answer: dict[str, object], query: str | None) -> str:
    """The answer as JSON; of `--query`, only a path of names is understood."""
    value: object = answer
    for name in (query or "").split(".") if query else []:
        assert isinstance(value, dict)
        value = value.get(name)
    return json.dumps(value, indent=2)
