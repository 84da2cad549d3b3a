"""What helps on a build agent, where no person can sign in: the lines that its pipeline file lacks."""

from collections.abc import Mapping

from broker.core.failures import ADD_TO
from broker.providers.azure.challenge import ORGANISATIONS


def pipeline_lines(environ: Mapping[str, str], tenant: str) -> str | None:
    """The lines for this agent's pipeline file, or None on a machine that is no agent.

    One line to show: the values are YAML in flow style, to be copied as they are. `GITHUB_ACTIONS` and
    `TF_BUILD` are what GitHub and Azure Pipelines document for telling their agents.
    """
    if environ.get("TF_BUILD", "").lower() == "true":
        return (
            f"{ADD_TO}the step in azure-pipelines.yml: env: {{ SYSTEM_ACCESSTOKEN: $(System.AccessToken) }}"
        )
    if environ.get("GITHUB_ACTIONS", "").lower() == "true":
        names = "AZURE_CLIENT_ID: APPLICATION"
        names += "" if tenant == ORGANISATIONS else f", AZURE_TENANT_ID: {tenant}"
        return (
            f"{ADD_TO}the job in .github/workflows: permissions: {{ id-token: write, contents: read }} and "
            f"env: {{ {names} }}"
        )
    return None
