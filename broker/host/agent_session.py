"""The mark of an agent's session, which a daemon that outlives the session does not take along.

az puts the session's id into a claim of each token (azure-cli 2.91, Azure/azure-cli#33309): a daemon that an
agent's look-up happened to start would mark all later tokens of its user as that agent's.
"""

from collections.abc import MutableMapping

AGENT_SESSION_ID = "AGENT_SESSION_ID"
"""How the names end: az reads COPILOT_AGENT_SESSION_ID."""


def leave_agent_session(environ: MutableMapping[str, str]) -> None:
    """Take the variables that name a session out of the environment, and so out of all children's."""
    for name in [each for each in environ if each.endswith(AGENT_SESSION_ID)]:
        del environ[name]
