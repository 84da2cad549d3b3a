"""What a feed needs that its address does not say. Pure: `prompts.py` asks a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.core.secret_source import brings_username, parse
from broker.providers.recognise.kinds import ARTIFACTORY, CLOUDSMITH, GITLAB, NEXUS


@dataclass(frozen=True, slots=True)
class RequiredKey:
    """One key of a feed: its name in a sentence, what a person is asked, whether it can be left out."""

    key: str
    what: str
    question: str
    optional: bool = False


SECRET = RequiredKey(
    "secret", "a secret", "Where is its password or token kept? keyring:, file:, env:, command: or netrc"
)

_JOB = "GITLAB_CI"
"""In a GitLab job the job's own token is taken."""

_NEEDS = {
    GITLAB: (SECRET,),
    ARTIFACTORY: (
        SECRET,
        RequiredKey("username", "a user name", "User name, empty for a token's own", optional=True),
    ),
    CLOUDSMITH: (SECRET,),
    NEXUS: (SECRET, RequiredKey("username", "a user name", "User name, or the name code of a user token")),
    "basic": (
        SECRET,
        RequiredKey("username", "a user name", "User name, empty if any will do", optional=True),
    ),
    "oauth2": (
        RequiredKey("token_endpoint", "a token endpoint", "Token endpoint"),
        RequiredKey("client_id", "a client id", "Client id"),
        SECRET,
    ),
    "command": (RequiredKey("command", "a command", "Command that prints the token"),),
}
"""By provider, in the order of asking. A provider that is not here signs in by itself, or is a plug-in."""


def required_keys(provider: str, keys: Mapping[str, Any], environ: Mapping[str, str]) -> list[RequiredKey]:
    """What is missing of `keys` for a feed of this provider; a CI job brings its own secret."""
    if (provider == GITLAB and environ.get(_JOB)) or _signs_in_itself(provider, keys):
        return []
    return [
        need for need in _NEEDS.get(provider, ()) if keys.get(need.key) is None and not is_moot(need, keys)
    ]


def _signs_in_itself(provider: str, keys: Mapping[str, Any]) -> bool:
    """True where a job's assertion or another program's sign-in takes the secret's place."""
    others = {ARTIFACTORY: ("oidc", "jf", "aws"), CLOUDSMITH: ("service",)}
    return any(keys.get(key) for key in others.get(provider, ()))


def is_moot(need: RequiredKey, keys: Mapping[str, Any]) -> bool:
    """True for a user name that the secret's place may bring."""
    place = keys.get("secret")
    return need.key == "username" and place is not None and brings_username(parse(place))
