"""Why a feed refuses, in its own words, and never in those of the credential."""

from __future__ import annotations

import base64
import json

import pytest

from broker.core.credential import Credential, Secret
from broker.host.http import Response
from broker.providers.refusal_words import WORDS_MAX, refusal_words

SECRET = "correct-horse-battery"
CREDENTIAL = Credential("ci", Secret(SECRET), None, "file:~/pw")
SENT = base64.b64encode(f"ci:{SECRET}".encode()).decode()
MISSING = "User 'dev' lacks permission to complete this action. You need to have 'ReadPackages'."


@pytest.mark.parametrize(
    ("reason", "body", "words"),
    [
        (f"Forbidden - {MISSING}", "", MISSING),
        (f"Forbidden - {MISSING}", "<!DOCTYPE html>", MISSING),
        ("Forbidden", json.dumps({"$id": "1", "message": MISSING, "eventId": 3000}), MISSING),
        ("Forbidden", json.dumps({"errors": [{"status": 403, "message": "Forbidden UI"}]}), "Forbidden UI"),
        ("Forbidden", json.dumps({"detail": "no"}), "no"),
        ("Forbidden", "", None),
        ("Forbidden", "<!DOCTYPE html>", None),
        ("Forbidden", "[" * 10000, None),
        ("Forbidden", json.dumps({"message": None, "errors": [], "detail": 7}), None),
        ("Forbidden", json.dumps({"message": " a\n\x1b[31mb\u202e\tc\u00e9 "}), "a [31mb c?"),
        ("Forbidden", json.dumps({"message": "x" * 1000}), "x" * (WORDS_MAX - 3) + "..."),
        ("Forbidden", json.dumps({"message": f"no {SECRET}"}), None),
        ("Forbidden", json.dumps({"message": f"no {SECRET[3:12]}"}), None),
        ("Forbidden", json.dumps({"message": f"Basic {SENT} is wrong"}), None),
    ],
)
def test_reason_is_one_short_line_without_the_credential(reason: str, body: str, words: str | None) -> None:
    assert refusal_words(Response(403, (), body.encode(), reason), CREDENTIAL) == words
