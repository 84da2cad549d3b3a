"""A CI job's assertion about itself, wherever its platform keeps it: GitHub, Azure Pipelines, GitLab,
CircleCI, Bitbucket. For services that take any of them; `github_oidc.py` is GitHub's own part.

Where each one is, is what Cloudsmith's CLI 1.30 reads and the platforms' pages say.
"""

from collections.abc import Mapping

from broker.core.credential import Secret
from broker.core.failures import NoSource
from broker.host.http import Http, Request
from broker.providers import github_oidc
from broker.providers.secret_reader import from_env

VARIABLES = (
    *("CLOUDSMITH_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"),
    "BITBUCKET_STEP_OIDC_TOKEN",
)
"""Variables that hold one. In a GitLab job it is whatever `id_tokens` calls it: Cloudsmith's page says the
first.
"""

AZURE_URL = "SYSTEM_OIDCREQUESTURI"
AZURE_BEARER = "SYSTEM_ACCESSTOKEN"
AZURE_VERSION = "7.1"
"""Azure DevOps, "Sprint 240": the audience is fixed there."""


def is_in_job(environ: Mapping[str, str]) -> bool:
    """True where some assertion can be had."""
    if any(environ.get(name) for name in VARIABLES):
        return True
    return any(
        all(environ.get(name) for name in pair)
        for pair in ((github_oidc.URL, github_oidc.BEARER), (AZURE_URL, AZURE_BEARER))
    )


async def job_assertion(http: Http, environ: Mapping[str, str], audience: str | None) -> Secret:
    """The job's assertion.

    Raises NoSource outside of a job that has one, Refused and Unavailable as the platform answers.
    """
    for name in VARIABLES:
        if environ.get(name):
            return from_env(name, environ).secret
    if environ.get(AZURE_URL) and environ.get(AZURE_BEARER):
        return await _of_azure_pipelines(http, environ)
    if environ.get("GITLAB_CI"):
        raise NoSource(f"in a GitLab job the assertion is a variable of id_tokens: call it {VARIABLES[0]}")
    return await github_oidc.job_assertion(http, environ, audience)


async def _of_azure_pipelines(http: Http, environ: Mapping[str, str]) -> Secret:
    url = environ[AZURE_URL]
    if not url.startswith("https://"):
        raise NoSource(f"{AZURE_URL} is no https address")
    bearer = from_env(AZURE_BEARER, environ).secret.reveal()
    headers = (("Authorization", f"Bearer {bearer}"), ("Content-Type", "application/json"))
    asked = Request("POST", f"{url}{'&' if '?' in url else '?'}api-version={AZURE_VERSION}", headers, b"")
    return await github_oidc.assertion_of(http, asked, "Azure Pipelines", "oidcToken")
