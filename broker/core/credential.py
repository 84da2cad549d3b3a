"""A credential and its secret, which is never shown by accident."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from broker.core.failures import Refused

USERNAME_BYTES_MAX = 1024
"""The shims send no longer one, and no server is known that takes one."""


def _is_one_line(text: str) -> bool:
    """One line of printable ASCII without blanks at its ends; empty is one. Asked at each look-up."""
    return text.isascii() and text.isprintable() and text == text.strip()


def unanswerable_username(username: str) -> str | None:
    """What keeps a username from standing in an answer, as the end of "it is ..."; None where nothing does.

    The text answer is two lines, which clients trim: only printable ASCII without blanks at its ends arrives
    as it was sent.
    """
    if not username:
        return "empty"
    if len(username) > USERNAME_BYTES_MAX:
        return f"longer than {USERNAME_BYTES_MAX:,} characters"
    if not _is_one_line(username):
        return "not one line of printable ASCII without blanks at its ends"
    return None


class Secret:
    """A secret that prints as four stars; `reveal` is the one way to its text.

    Clients take one line of printable ASCII and some cut blanks at its end (measured: pip cannot send
    `€`, uv trims), so anything else raises ValueError here rather than a 401 there: a `null` or a number that
    a service sent in its place, too.
    """

    __slots__ = ("_text",)

    def __init__(self, text: object) -> None:
        if not isinstance(text, str) or not text or not _is_one_line(text):
            raise ValueError("a secret must be one line of printable ASCII without blanks at its ends")
        self._text = text

    def reveal(self) -> str:
        """The secret's text: for the answer to a client and the request to a service, nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Literal[""]:
        raise TypeError("a secret is never pickled or copied")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a provider obtained: the words to answer with, and who is behind them.

    `expires_at` is the token's real end in UTC, or None when it is not known. `source` names the way it was
    obtained (`azure-cli`, `env:NAME`), `account` and `tenant` whom it belongs to, where known. `is_personal`:
    the secret came with its username, as in netrc, and goes with no other. `manual_renewal` is what a person
    does for the next one before this ends; None where renewal brings it. `replacing` is the line to type for
    that, where there is one. `has_secret_name`: the username is half of the secret. `is_end_unknown`: a tool
    gave a token that ends, and did not say when.

    Raises Refused for a username that cannot stand in an answer, whichever provider it comes from.
    """

    username: str = field(repr=False)
    secret: Secret
    expires_at: datetime | None
    source: str
    account: str | None = None
    tenant: str | None = None
    is_personal: bool = False
    manual_renewal: str | None = None
    has_secret_name: bool = False
    is_end_unknown: bool = False
    replacing: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        wrong = unanswerable_username(self.username)
        if wrong is not None:
            raise Refused(f"the username from {self.source} cannot stand in an answer: it is {wrong}")

    @property
    def shown_username(self) -> str | None:
        """The username as others than the client are told of it; None for one that is a secret itself."""
        return None if self.has_secret_name else self.username
