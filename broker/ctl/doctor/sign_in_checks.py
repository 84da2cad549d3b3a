"""Sign-ins: what works here and not in the service, what the service cannot see, and az."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import token_broker_client as client

from broker.core.secret_source import EnvSecret, sources_of
from broker.ctl import user_files
from broker.ctl.api_client import FETCH_PATIENCE_S, feed_path
from broker.ctl.command_error import CommandError
from broker.ctl.doctor.context import NO_ANSWER, PROGRAM_LIMIT_S, DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.exec.private_broker import private_broker
from broker.providers.recognise import AZURE

OK = 200

TOKENS = (
    *("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE", "VSS_NUGET_ACCESSTOKEN"),
    *("SYSTEM_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
    *("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "CI_JOB_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CODEARTIFACT_AUTH_TOKEN", "CLOUDSMITH_API_KEY", "JF_ACCESS_TOKEN"),
)
"""Variables that sign a person or a job in; `setup` never copies them."""


def sign_ins_work_in_the_service(context: DoctorContext) -> Iterator[Finding]:
    """A sign-in that fails in the service fails here, too: where it does not, the service lacks something."""
    status = context.broker.status
    feeds = status.feeds if status is not None else ()
    for feed in feeds:
        if feed.error is not None and not feed.needs_help:
            yield warning("sign-in", f"{feed.name}: {feed.error}; its token lives on", feed.hint)
    failing = [feed for feed in feeds if feed.needs_help]
    if not failing:
        return
    here = _outcomes_here(context, [feed.name for feed in failing])
    for feed in failing:
        if here.get(feed.name):
            said = f"{feed.name}: the sign-in works in this shell but not in the service ({feed.error})"
            yield problem("sign-in", said, "brokerctl setup")
        else:
            yield problem("sign-in", f"{feed.name}: {feed.error or feed.state}", feed.hint)


def secrets_last(context: DoctorContext) -> Iterator[Finding]:
    """No secret that only a person can replace is about to end."""
    status = context.broker.status
    for feed in status.feeds if status is not None else ():
        if feed.warning is not None:
            yield warning("secret-ends", f"{feed.name}: {feed.warning}", None)


def service_sees_the_tokens(context: DoctorContext) -> Iterator[Finding]:
    """No variable with a token is set in this shell that the daemon, in its own environment, cannot see."""
    config = context.configured.config
    sources = [source for feed in config.feeds for source in sources_of(feed.own_keys)]
    wanted = {source.name for source in sources if isinstance(source, EnvSecret)} | set(TOKENS)
    for name in sorted(wanted & context.user_dirs.environ.keys()):
        if name not in config.env and context.has_service:
            said = f"{name} is set in this shell; the service cannot see it"
            yield warning("variables", said, "brokerctl exec -- COMMAND, which can")


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
        yield problem("az", said, "install the Azure CLI, or: brokerctl login NAME")
        return
    shown = context.run(az, "account", "show", "--output", "none")
    if shown.returncode == NO_ANSWER:
        yield problem("az", f"az does not answer within {PROGRAM_LIMIT_S:.0f} s", "az account show --debug")
    elif shown.returncode == 0:
        yield fine("az", "az is signed in")
    else:
        yield problem("az", "az is signed out", "az login")


def _outcomes_here(context: DoctorContext, names: list[str]) -> dict[str, bool]:
    """Which feeds a broker with this shell's environment gets a token for: without env.toml, that is."""
    text = user_files.content_of(context.user_dirs.configuration.user)
    if text is None:
        return {}
    outcomes: dict[str, bool] = {}
    with tempfile.TemporaryDirectory(prefix="token-broker-") as folder:
        config = Path(folder, "config.toml")
        config.touch(mode=0o600)
        config.write_bytes(text)
        try:
            with private_broker() as broker, broker.serving(config):
                for name in names:
                    answer = client.request(
                        "POST", feed_path(name, "refresh"), patience_s=FETCH_PATIENCE_S, path=broker.socket
                    )
                    outcomes[name] = answer.status == OK
        except (CommandError, client.BrokerError, OSError):
            return outcomes
    return outcomes
