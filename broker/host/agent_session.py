"""The mark of an agent's session, which a daemon that outlives the session does not take along.

az puts the session's id into a claim of each token (azure-cli 2.91, Azure/azure-cli#33309), and azd and other
tools ask variables whether an agent runs them: a daemon that an agent's look-up happened to start would mark
all later tokens of its user as that agent's.
"""

import re
from collections.abc import MutableMapping

_AGENTS = frozenset(
    {
        "AI_AGENT",
        "COPILOT_AGENT_SESSION_ID",
        "CLAUDECODE",
        "CLAUDE_CODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CODEX_SANDBOX",
        "CURSOR_AGENT",
        "COPILOT_CLI",
        "GITHUB_COPILOT_CLI",
        "GH_COPILOT",
        "GEMINI_CLI",
        "GEMINI_CLI_NO_RELAUNCH",
        "OPENCODE",
    }
)
"""What az reads, and what azd (Azure/azure-dev, agentdetect), the AWS CDK (aws/aws-cdk-cli, detect-agent) and
vercel/detect-agent know agents by.
"""

_SESSION_ID = re.compile(
    r"\w*AGENT_SESSION_ID|(CLAUDE_CODE|CODEX|COPILOT|CURSOR|GEMINI|OPENCODE)_(\w+_)?(SESSION|THREAD|TRACE)_ID",
    re.ASCII,
)


def leave_agent_session(environ: MutableMapping[str, str]) -> None:
    """Take the variables that name an agent or its session out of this environment and all children's."""
    for name in [each for each in environ if each in _AGENTS or _SESSION_ID.fullmatch(each)]:
        del environ[name]
