"""The forms in which credential programs print: ours, and those that their authors already speak.

    a token alone on one line
    {"password" or "token", "username", "expires_at"}              ours; or `expires_in`, in seconds (RFC 6749
                                                                   section 5.1)
    username=..., password=..., password_expiry_utc=... lines      git-credential(1)
    {"Username", "Secret"}                                         docker-credential-helpers
    {"AccessKeyId", "SecretAccessKey", "Expiration"}               AWS credential_process
    {"status": {"token", "expirationTimestamp"}}                   kubectl ExecCredential (client-go)
    {"headers": {"Authorization": [...]}, "expires"}               Bazel credential helpers, uv auth helper

No I/O. Complaints are ValueErrors that say what is wrong, without any of the output.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NamedTuple


class Printed(NamedTuple):
    """What a program printed, as it stands: the username may be absent, the end in any form.

    `lives` is the life from now on, of which there may be both.
    """

    username: object
    secret: str
    ends: object
    lives: object = None


def read_printed(text: str) -> Printed:
    """What a program's output, without blanks at its ends, says in whichever form."""
    if text.startswith("{"):
        return _object(text)
    lines = text.splitlines()
    if any(line.startswith("password=") for line in lines):
        return _git(lines)
    return Printed(None, text, None)


def _object(text: str) -> Printed:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("its output begins like JSON and is not") from None
    match answer:
        case {"headers": headers}:
            return _bazel(headers, answer.get("expires"))
        case {"status": {"token": secret, **status}, "kind": "ExecCredential"}:
            username, ends = None, status.get("expirationTimestamp")
        case {"AccessKeyId": username, "SecretAccessKey": secret}:
            ends = answer.get("Expiration")
        case {"Username": username, "Secret": secret}:
            ends = None
        case _:
            secret = answer.get("password", answer.get("token"))
            username, ends = answer.get("username"), answer.get("expires_at")
    if not secret or not isinstance(secret, str):
        raise ValueError('its JSON has neither "password" nor "token" as text')
    return Printed(username, secret, ends, answer.get("expires_in"))


def _git(lines: list[str]) -> Printed:
    told = dict(line.partition("=")[::2] for line in lines)
    return Printed(told.get("username"), told["password"], told.get("password_expiry_utc"))


def _bazel(headers: object, ends: object) -> Printed:
    """The Basic or Bearer credentials of the one Authorization header."""
    values = headers if isinstance(headers, Mapping) else {}
    named = [
        value for name, value in values.items() if isinstance(name, str) and name.lower() == "authorization"
    ]
    match named:
        case [[str(header)]] | [str(header)]:
            scheme, _, blob = header.partition(" ")
        case _:
            raise ValueError("its headers are not one Authorization")
    if scheme.lower() == "bearer":
        return Printed(None, blob, ends)
    try:
        username, colon, secret = base64.b64decode(blob, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise ValueError("its Authorization is neither Basic nor Bearer")
    return Printed(username or None, secret, ends)
