"""Sign-ins: secrets that end soon, what the service cannot see, and az."""

from collections.abc import Iterator
from shlex import quote

from broker.core.secret_source import EnvSecret, sources_of
from broker.ctl.doctor import access_tokens
from broker.ctl.doctor.context import NO_ANSWER, NOT_STARTED, PROGRAM_LIMIT_S, DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.providers.recognise.kinds import AZURE

TOKENS = (
    *("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE", "VSS_NUGET_ACCESSTOKEN"),
    *("SYSTEM_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
    *("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "CI_JOB_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CODEARTIFACT_AUTH_TOKEN", "CLOUDSMITH_API_KEY", "JF_ACCESS_TOKEN"),
)
"""Variables that sign a person or a job in; `setup` never copies them."""


def secrets_last(context: DoctorContext) -> Iterator[Finding]:
    """No secret that only a person can replace is about to end."""
    status = context.broker.status
    for feed in status.feeds if status is not None else ():
        if feed.warning is not None:
            yield warning("secret-ends", f"{feed.name}: {feed.warning}", None)


def service_sees_the_tokens(context: DoctorContext) -> Iterator[Finding]:
    """No variable with a token is set in this shell that the daemon, in its own environment, cannot see.

    One with a personal access token of Azure DevOps has a finding of its own.
    """
    config = context.configured.config
    sources = [source for feed in config.feeds for source in sources_of(feed.own_keys)]
    wanted = {source.name for source in sources if isinstance(source, EnvSecret)} | set(TOKENS)
    for name in sorted(wanted & context.user_dirs.environ.keys() - {access_tokens.VARIABLE}):
        if name not in config.env and context.has_service:
            said = f"{name} is set in this shell; the service cannot see it, and `exec` can"
            yield warning("variables", said, "brokerctl exec -- COMMAND")


def az_is_signed_in(context: DoctorContext) -> Iterator[Finding]:
    """Where Azure feeds are used, az is there and signed in, unless they are usable without it."""
    status = context.broker.status
    azure = [feed for feed in context.feeds if feed.provider == AZURE]
    uses_az = [feed for feed in azure if "azure-cli" in feed.settings.get("auth", ["azure-cli"])]
    usable = {feed.name for feed in status.feeds if feed.usable} if status is not None else set()
    if not uses_az or all(feed.name in usable for feed in uses_az):
        return
    az = context.user_dirs.program("az")
    if az is None:
        said = "az is not installed, and Azure feeds have no other sign-in that works"
        yield problem("az", said, f"brokerctl login {quote(uses_az[0].name)}")
        return
    shown = context.run(az, "account", "show", "--output", "none")
    if shown.returncode == NO_ANSWER:
        yield problem("az", f"az does not answer within {PROGRAM_LIMIT_S:.0f} s", "az account show --debug")
    elif shown.returncode == NOT_STARTED:
        yield problem("az", shown.stderr, "az account show")
    elif shown.returncode == 0:
        yield fine("az", "az is signed in")
    else:
        yield problem("az", "az is signed out", "az login")
