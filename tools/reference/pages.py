"""Every generated page by its path, as it should be."""

from tools.reference import (
    commands,
    compatibility,
    configuration,
    environment,
    exit_codes,
    files,
    http_api,
    man,
)
from tools.reference.compatibility import ROOT

__all__ = ["ROOT", "pages"]


def pages() -> dict[str, str]:
    """Return the text of each page. Raises KeyError where the code has something without a text."""
    return {
        "docs/reference/configuration.md": configuration.markdown_page(),
        "docs/reference/command-line.md": commands.markdown_page(),
        "docs/reference/environment.md": environment.markdown_page(),
        "docs/reference/exit-codes.md": exit_codes.markdown_page(),
        "docs/reference/http-api.md": http_api.api_page(),
        "docs/reference/metrics.md": http_api.metrics_page(),
        "docs/reference/files.md": files.markdown_page(),
        "docs/reference/compatibility.md": compatibility.markdown_page(),
        "man/brokerctl.1": man.brokerctl(),
        "man/brokerd.1": man.brokerd(),
        "man/token-broker.toml.5": man.toml(),
    }
