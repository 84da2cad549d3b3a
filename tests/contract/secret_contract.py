"""What every kind of feed with a secret keeps to, through the real daemon and the real shim: what a user is
told of a secret that is wrong or was revoked, and that its successor is picked up. A kind's class inherits
SecretContract; `e2e/test_secrets_of_the_field.py` has them all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.e2e.patience import until

if TYPE_CHECKING:
    from tests.e2e.town import Town


@dataclass(frozen=True)
class Told:
    """What a user learns of a secret that does not work: exit code of `brokerctl get`, state, words, hint.

    `replacing` is how the line looks that replaces the secret, or tells more, where the hint is made for it.
    """

    exit_code: int
    state: str
    words: str
    hint: str | None = None
    replacing: str | None = None

    def has(self, hint: str | None) -> bool:
        """True when this is what is to type."""
        return (
            hint == self.hint
            if self.replacing is None
            else re.fullmatch(self.replacing, hint or "") is not None
        )


class SecretContract:
    """`name` and `url` are the feed's, `first` and `second` secrets that its service can know, `wrong` one
    that it never does, `told` what is said then, and `told_of_end` of one whose time is over, where that is
    something else. `is_handed_out`: the secret itself is the password. `package`: what strangers cannot
    install there; `asker`: "NAME@" where pip has to be given a name, since strangers get an answer, too.
    """

    name: ClassVar[str]
    url: ClassVar[str]
    first: ClassVar[str] = "the-first-secret-of-ci"
    second: ClassVar[str] = "the-second-secret-of-ci"
    wrong: ClassVar[str] = "the-wrong-secret-of-ci"
    told: ClassVar[Told]
    told_of_end: ClassVar[Told | None] = None
    is_handed_out: ClassVar[bool] = True
    package: ClassVar[str] = "demo-package"
    asker: ClassVar[str] = ""

    @classmethod
    def anew(cls) -> SecretContract:
        """With secrets that the service has not seen yet, where each works once."""
        return cls()

    def put(self, town: Town, secret: str) -> None:
        """Write the secret where the feed's configuration says that it is."""
        raise NotImplementedError

    def admit(self, town: Town, *secrets: str) -> None:
        """Have the service know these secrets and no others."""
        raise NotImplementedError

    def expire(self, town: Town) -> None:
        """Have the time of the first secret be over."""
        self.admit(town)

    def test_wrong_secret_is_told_with_exit_code_state_and_hint(self, town: Town) -> None:
        self.admit(town, self.first)
        self.begin_with(town, self.wrong)
        self.wait_for(town, self.told.state)

        got = town.ask("get", self.url)
        shown = town.ask("status", "--json")

        assert (got.exit_code, got.stdout) == (self.told.exit_code, "")
        assert self.told.words in got.stderr
        [feed] = [feed for feed in json.loads(shown.stdout)["feeds"] if feed["name"] == self.name]
        assert (feed["usable"], feed["state"]) == (False, self.told.state)
        assert self.told.has(feed["hint"]), feed["hint"]
        assert self.told.words in feed["error"]
        assert self.wrong not in got.text + shown.text

    def test_revoked_secret_is_told_in_one_line_and_nothing_is_handed_out(self, town: Town) -> None:
        self.admit(town, self.first)
        self.begin_with(town, self.first)
        self.wait_for(town, "fresh")
        self.admit(town)
        self.begin_with(town, self.first)
        self.wait_for(town, self.told.state)

        asked = town.house.keyring("--mode=creds", "get", self.url)

        assert (asked.exit_code, asked.stdout) == (1, "")
        assert asked.stderr.startswith(f"token-broker: {self.name}: ")
        assert self.told.words in asked.stderr
        assert asked.stderr.count("\n") == 1
        assert self.told.hint is None or asked.stderr.endswith(f"; run: {self.told.hint}\n")

    def test_successor_is_picked_up_by_the_next_look_up_of_the_same_daemon(self, town: Town) -> None:
        self.admit(town, self.second)
        self.begin_with(town, self.wrong)
        self.wait_for(town, self.told.state)
        pid = town.wire.status()["pid"]
        self.put(town, self.second)

        asked = town.house.keyring("--mode=creds", "get", self.url)

        assert asked.exit_code == 0, asked.text
        assert (asked.stdout.splitlines()[1] == self.second) is self.is_handed_out
        assert (town.wire.feed(self.name)["state"], town.wire.status()["pid"]) == ("fresh", pid)

    def begin_with(self, town: Town, secret: str) -> None:
        """Have the daemon look for a credential with this secret and nothing in hand."""
        self.put(town, secret)
        self.ask_anew(town)

    def ask_anew(self, town: Town) -> None:
        """Have the daemon look for a credential with nothing in hand."""
        assert town.wire.post(f"/v1/feeds/{self.name}/forget").status == 200
        town.wire.look_up(self.url)

    def wait_for(self, town: Town, state: str) -> None:
        """Return in this state: a feed's own no comes after the first answer."""
        until(lambda: town.wire.feed(self.name)["state"] == state, f"state {state} of {self.name}")
