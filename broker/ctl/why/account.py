"""What a package client said of its decisions, in the one form that all clients' accounts become. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

STEPS_MAX = 4096
"""Distinct steps that are kept of one run: a lock of a thousand packages has about as many files."""


class AccountAct(StrEnum):
    """One thing that a client did or met."""

    REQUESTED = "requested"
    SKIPPED = "skipped the keyring, for it knows no user name"
    ASKED = "asked the keyring"
    NOT_RUN = "could not run the keyring"
    PROVIDER = "chose a keyring provider"
    FOUND = "took a password"
    ACCEPTED = "was let in with it"
    REFUSED = "was refused"
    UNREACHED = "got no answer"


class Source(StrEnum):
    """Where a client took a password from."""

    OWN = "the index itself"
    NETRC = "netrc"
    STORE = "uv's own store"
    KEYRING = "the keyring"


@dataclass(frozen=True, slots=True)
class AccountStep:
    """One step of one client's account.

    `url` has no userinfo; it is a whole URL, or a host alone where the account names no more, or empty.
    `detail` is uv's policy, the provider's name, or why a program did not run or no answer came. `status` is
    HTTP's.
    """

    client: str
    act: AccountAct
    url: str = ""
    username: str | None = None
    source: Source | None = None
    status: int | None = None
    detail: str = ""


@dataclass
class ClientAccount:
    """The distinct steps of a run in the order of their first occurrence.

    `versions` are those that clients named; `unknown` counts the account's lines that mean nothing to us.
    """

    steps: dict[AccountStep, None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    unknown: int = 0

    def add(self, steps: Iterable[AccountStep]) -> None:
        """Take steps up; those beyond the limit are dropped."""
        for step in steps:
            if len(self.steps) < STEPS_MAX:
                self.steps.setdefault(step)

    def of(self, *acts: AccountAct) -> Iterator[AccountStep]:
        """The steps of these kinds."""
        return (step for step in self.steps if step.act in acts)

    def is_understood(self, client: str) -> bool:
        """True when at least one line of this client's account was."""
        return any(step.client == client for step in self.steps)
