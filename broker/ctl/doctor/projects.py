"""Indexes of the project here that uv would not ask a keyring about, though they are feeds of ours."""

from collections.abc import Iterator

from broker.ctl.doctor.finding import Finding, fine, problem
from broker.ctl.doctor.room import Room
from broker.ctl.usernames import username_for
from broker.providers.recognise import AZURE, GITLAB, GOOGLE

ALWAYS = "always"
FILES_ELSEWHERE = {AZURE: "under ids", GITLAB: "under the project's number", GOOGLE: "outside simple/"}
"""Providers whose pages link to files outside the index's own URL, and where those are."""


def indexes_have_usernames(room: Room) -> Iterator[Finding]:
    """Every index that is a feed has a user name, or at least makes uv ask always."""
    ours = 0
    for index in room.indexes:
        found = room.feed_of(index.url)
        if found is None or index.authenticate == "never":
            continue
        ours += 1
        provider, required = found
        if index.username:
            continue
        line = f'url = "{index.url.replace("://", f"://{username_for(provider, required)}@", 1)}"'
        place = f"{room.places.shown(index.file)}: {index.shown}"
        if index.authenticate != ALWAYS:
            said = f'{place} has no user name and no authenticate = "{ALWAYS}": uv will never ask'
            yield problem("index-username", said, line)
        elif provider in FILES_ELSEWHERE:
            where = FILES_ELSEWHERE[provider]
            said = f"{place} has no user name, and its files are {where}: uv sync from a lock fails with 401"
            yield problem("index-files", said, line)
    if ours:
        yield fine("indexes", f"{ours} of the project's indexes {'is' if ours == 1 else 'are'} ours")
