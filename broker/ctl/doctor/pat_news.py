"""What becomes of Azure DevOps' personal access tokens, for each finding that names a place with one."""

from datetime import datetime

from broker.providers.recognise.azure_addresses import GLOBAL_PATS_END, is_azure_host


def pat_news(now: datetime) -> str:
    """What a finding says beside the place. No file tells a token of one organisation from a global one."""
    if now >= GLOBAL_PATS_END:
        return "global PATs have ended; a token of one organisation, or Entra"
    return f"global PATs end on {GLOBAL_PATS_END:%Y-%m-%d}; a token of one organisation, or Entra, lives on"


def with_pat_news(said: str, host: str | None, now: datetime) -> str:
    """A finding's words about a password for `host`, with the news where it is a personal access token."""
    return f"{said}; at Azure DevOps that is a PAT: {pat_news(now)}" if is_azure_host(host) else said
