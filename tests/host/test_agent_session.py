"""Which variables name an agent's session, and which do not."""

import pytest

from broker.host.agent_session import leave_agent_session

OF_AGENTS = (
    "COPILOT_AGENT_SESSION_ID",
    "OTHER_AGENT_SESSION_ID",
    "COPILOT_CLI",
    "GITHUB_COPILOT_CLI",
    "GH_COPILOT",
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "CURSOR_AGENT",
    "CURSOR_TRACE_ID",
    "GEMINI_CLI",
    "OPENCODE",
    "OPENCODE_SESSION_ID",
)
OF_PEOPLE = (
    "PATH",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "GPG_AGENT_INFO",
    "AZURE_CLIENT_ID",
    "XDG_SESSION_ID",
    "AWS_SESSION_TOKEN",
    "CODEX_TOKEN",
    "SYSTEM_ACCESSTOKEN",
    "BUILD_AGENT_ID",
    "AGENT_ID",
    "AGENT_TEMPDIRECTORY",
)


@pytest.mark.parametrize("name", OF_AGENTS)
def test_a_variable_that_names_an_agents_session_is_left(name: str) -> None:
    environ = {name: "1", "HOME": "/root"}

    leave_agent_session(environ)

    assert environ == {"HOME": "/root"}


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_a_variable_of_a_person_or_of_a_build_stays(name: str) -> None:
    environ = {name: "1"}

    leave_agent_session(environ)

    assert environ == {name: "1"}
