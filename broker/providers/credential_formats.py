"""The forms in which programs print a credential: ours, and those that their authors already speak.

    a token alone on one line, or the one JWT among other words
    {"password" or "token", "username", "expires_at"}              ours; or `expires_in`
    username=..., password=..., password_expiry_utc=... lines      git-credential(1)
    {"Username", "Secret"}                                         docker-credential-helpers
    {"AccessKeyId", "SecretAccessKey", "Expiration"}               AWS credential_process
    {"status": {"token", "expirationTimestamp"}}                   kubectl ExecCredential (client-go)
    {"headers": {"Authorization": [...]}, "expires"}               Bazel credential helpers, uv auth helper
    {"access_token", "expires_in"}                                 RFC 6749 section 5.1
    {"accessToken", "expires_on"}                                  az account get-access-token
    {"token", "expiresOn"}                                         azd auth token
    {"authorizationToken", "expiration"}                           aws codeartifact get-authorization-token
    {"credential": {"access_token", "token_expiry"}}               gcloud config config-helper
    {"data": {"access_token" or ...}, "lease_duration"}            vault read -format=json
    {"auth": {"client_token", "lease_duration"}}                   vault login -format=json

An object may stand in text (`printed_object.py`). No I/O. Complaints are ValueErrors that say what is wrong,
without any of the output's values.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from broker.providers.printed_object import printed_jwt, printed_line, printed_objects, printed_text, shape_of


class Printed(NamedTuple):
    """What a program printed, as it stands: the username may be absent, the end in any form.

    `lives` is the life from now on, of which there may be both.
    """

    username: object
    secret: object
    ends: object
    lives: object = None


_ERROR = re.compile(r"(?:[\w.-]+: )?(?:error|fatal|failed|usage|traceback|warning)\b.* ", re.IGNORECASE)
"""How a line begins that programs print in place of a token; a token has no blank, and few passwords do."""

_PAGE = re.compile(r"<(?:!doctype|html|head|\?xml)[\s>]", re.IGNORECASE)
"""How a document begins that a web server gives for a token, with status 200."""

_NOT_TOKENS = frozenset({"[]", "{}", "null", "true", "false", "undefined"})
"""What programs print in place of a value that they do not have."""


def read_printed(output: bytes) -> Printed:
    """What a program's output says in whichever form."""
    text = printed_text(output)
    if not text:
        raise ValueError("its output is empty")
    objects = printed_objects(output)
    found = [printed for answer in objects if (printed := _object(answer)) is not None]
    if found:
        if any(other != found[0] for other in found):
            raise ValueError(f"it has more than one: {shape_of(output)}")
        return found[0]
    if any(line.startswith("password=") for line in text.splitlines()):
        return _git(text.splitlines())
    return Printed(None, _beside(objects, text, output) if objects else _alone(text, output), None)


def _beside(objects: list[Mapping[str, object]], text: str, output: bytes) -> str:
    """The token that stands in text with objects that have none."""
    token = printed_jwt(text)
    if token is not None and not any(token in str(answer) for answer in objects):
        return token
    if "\n" in text or text.startswith("{"):
        raise ValueError(f'its JSON has neither "password" nor "token" as text: {shape_of(output)}')
    return text


def _alone(text: str, output: bytes) -> str:
    if text.startswith("{"):
        raise ValueError("its output begins like JSON and is not")
    if text in _NOT_TOKENS:
        raise ValueError(f"it is no credential: {text}")
    if _PAGE.match(text):
        raise ValueError(f"it is a page, as for a sign-in in a browser: {shape_of(output)}")
    if _is_array(text):
        raise ValueError("it is no credential: an array")
    if "\ufffd" in text:
        raise ValueError("its output is not text")
    if "\n" not in text and _ERROR.match(text) and printed_jwt(text) is None:
        raise ValueError(f"it is an error, although its exit code is 0: {shape_of(output)}")
    try:
        return printed_line(_unquoted(text))
    except ValueError:
        raise ValueError(f"a token is one line, and it printed {shape_of(output)}") from None


def _is_array(text: str) -> bool:
    """True for JSON's list; a password may be in brackets all the same."""
    try:
        return isinstance(json.loads(text) if text.startswith("[") else None, list)
    except (ValueError, RecursionError):
        return False


def _unquoted(text: str) -> str:
    """Without the quotes around all of it: `az --query accessToken` prints JSON, and so do others."""
    if len(text) > 2 and text[0] == text[-1] == "'" and "'" not in text[1:-1]:  # noqa: PLR2004 - two quotes
        return text[1:-1]
    try:
        told = json.loads(text) if text.startswith('"') else text
    except ValueError:
        return text
    return told.strip() if isinstance(told, str) else text


def _object(answer: Mapping[str, object]) -> Printed | None:
    """The credential in the object; None where it is of no known form, or has no text for its secret."""
    if "headers" in answer:
        return _bazel(answer["headers"], answer.get("expires"))
    vendors = _of_a_vendor(answer)
    printed = vendors or _of_a_helper(answer)
    if not printed.secret or not isinstance(printed.secret, str):
        return None
    has_blanks = any(letter.isspace() for letter in printed.secret)
    return (
        None if has_blanks and vendors is not None and "data" not in answer else printed
    )  # a token has none


def _of_a_helper(answer: Mapping[str, object]) -> Printed:
    match answer:
        case {"status": {"token": secret, **status}, "kind": "ExecCredential"}:
            return Printed(None, secret, status.get("expirationTimestamp"))
        case {"AccessKeyId": username, "SecretAccessKey": secret}:
            return Printed(username, secret, answer.get("Expiration"))
        case {"Username": username, "Secret": secret}:
            return Printed(username, secret, None)
    secret, ends = _told(answer, "password", "token"), _told(answer, "expires_at", "expiresOn")
    return Printed(answer.get("username"), secret, ends, answer.get("expires_in"))


def _of_a_vendor(answer: Mapping[str, object]) -> Printed | None:  # noqa: PLR0911 - a table of forms
    """None for a form of another."""
    match answer:
        case {"authorizationToken": secret}:
            return Printed(None, secret, answer.get("expiration"))
        case {"accessToken": secret}:
            # `expiresOn` has no zone, and before az 2.54 it stands alone: the token is a JWT with its own end
            return Printed(None, secret, answer.get("expires_on"))
        case {"access_token": secret}:
            ends, lives = answer.get("expires_at"), answer.get("expires_in")
            return Printed(answer.get("username"), secret, ends, lives)
        case {"credential": {"access_token": secret, **inner}}:
            return Printed(None, secret, inner.get("token_expiry"))
        case {"auth": {"client_token": secret, **inner}}:
            return Printed(None, secret, None, _lease(inner))
        case {"data": {**inner}, "lease_duration": _}:
            secret = _told(inner, "access_token", "password", "token")
            return Printed(inner.get("username"), secret, None, _lease(answer))
        case _:
            return None


def _told(answer: Mapping[Any, object], *names: str) -> object:
    """What stands under the first of the names that has something."""
    return next((answer[name] for name in names if answer.get(name) is not None), None)


def _lease(answer: Mapping[Any, object]) -> object:
    """Vault's life in seconds; its 0 means that the lease has no end of its own."""
    return answer.get("lease_duration") or None


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
