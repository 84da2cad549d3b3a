"""Why a feed refuses, in its own words: a policy, a missing right, an address that is not allowed.

No I/O. What comes back may be shown: one short line of ASCII without anything of the credential. Azure DevOps
says it on the status line, `Forbidden - User '...' lacks permission to complete this action ...`
(azure-devops-docs#6920), and in its JSON's `message`; Artifactory in `{"errors": [{"message": ...}]}`
(devopshq/artifactory#46); Cloudsmith in `detail` (its API's errors).
"""

import base64
import json

from broker.core.credential import Credential
from broker.host.http import Response

WORDS_MAX = 240
"""Two or three lines of a terminal; Azure's longest ones end with ids."""

SHARED_MAX = 8
"""So many characters in a row that the credential has, too, may be a part of it."""


def refusal_words(response: Response, credential: Credential) -> str | None:
    """The reason that the answer gives; None where it gives none that may be shown."""
    told = _in_json(response.body) or response.reason.partition(" - ")[2]
    words = " ".join("".join(each if each.isprintable() else " " for each in told).split())
    words = words.encode("ascii", "replace").decode()
    words = words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 3] + "..."
    return words if words and not _shows(credential, words) else None


def _in_json(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    match answer:
        case {"message": str(told)} | {"errors": [{"message": str(told)}, *_]} | {"detail": str(told)}:
            return told
    return ""


def _shows(credential: Credential, words: str) -> bool:
    """True where some of the credential stands in the words, as it is or as it was sent."""
    secret = credential.secret.reveal()
    sent = base64.b64encode(f"{credential.username}:{secret}".encode()).decode()
    parts = [words[at : at + SHARED_MAX] for at in range(max(1, len(words) - SHARED_MAX + 1))]
    return secret in words or any(part in whole for part in parts for whole in (secret, sent))
