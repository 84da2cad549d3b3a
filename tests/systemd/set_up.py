"""`brokerctl setup` of an account with three feeds: what was planned, what was told, and what was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.systemd.account import CONFIG, FEED, FEED_CONFIG, TOKEN, Account
from tests.systemd.installation import PREFIX

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

APPS = PREFIX.partition("/")[0]
PACKAGE = "demo-package"
PASSWORD = "sesame-of-the-index"

HOME_FEED = "https://home.example/simple/"
"""Its password is what its command sees of the home."""

HOME_LOOK = """#!/bin/sh
can() { if touch "$1/probe" 2>/dev/null; then rm "$1/probe"; echo open; else echo closed; fi; }
is() { if [ -e "$1" ]; then echo seen; else echo hidden; fi; }
touch ~/left-behind 2>/dev/null
others=$(ls -A /tmp | grep -v token-broker)
echo "ssh=$(is ~/.ssh)" "azure=$(can ~/.azure)" "config=$(can ~/.config/token-broker)" \\
  "tmp=$([ -z "$others" ] && echo own || echo shared)" \\
  "socket=$(is $XDG_RUNTIME_DIR/token-broker/broker.sock)" \\
  "nnp=$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)"
"""


def feed_of_command(*argv: str, url: str = FEED, name: str = "packages") -> str:
    """A feed whose token is what this command prints."""
    words = ", ".join(f'"{word}"' for word in argv)
    named = FEED_CONFIG.replace('"packages"', f'"{name}"').replace(FEED, url)
    return named.replace(f'"/bin/echo", "{TOKEN}"', words)


@dataclass(frozen=True, slots=True)
class SetUp:
    """`planned` is told by a dry run, `told` by the set-up; of each the home's files before and after."""

    account: Account
    index: str
    planned: str
    told: str
    before: AbstractSet[str]
    after_the_plan: AbstractSet[str]
    after: AbstractSet[str]

    @classmethod
    def of(cls, account: Account, index: str) -> SetUp:
        """Set up an account whose feeds give a token, the password of the index, and a look at the home."""
        account.write(".ssh/id", "secret")
        look = account.write("feeds/look", HOME_LOOK, 0o755)
        index_feed = feed_of_command("/bin/echo", PASSWORD, url=index, name="index")
        home_feed = feed_of_command(str(look), url=HOME_FEED, name="home")
        account.write(CONFIG, f"{FEED_CONFIG}\n{index_feed}\n{home_feed}", 0o600)
        before = files_of(account)
        planned = account.set_up("--dry-run").stdout
        after_the_plan = files_of(account)
        told = account.set_up().stdout
        (account.home / "left-behind").unlink()  # by the look from outside the sandbox
        return cls(account, index, planned, told, before, after_the_plan, files_of(account))


def files_of(account: Account) -> set[str]:
    """The files and links of a home, but for the installation and for what setup keeps to undo it."""
    aside = account.home / APPS, account.home / ".local/share/token-broker/setup"
    return {
        str(path.relative_to(account.home))
        for path in account.home.rglob("*")
        if not path.is_dir() and not any(path.is_relative_to(each) for each in aside)
    }
