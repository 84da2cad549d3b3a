"""docs/reference/environment.md: every variable that the daemon, brokerctl or the shims read or set.

`tests/test_reference.py` finds the names in the sources: each is either here or in NO_VARIABLE.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tools.reference import markdown


class Variable(NamedTuple):
    """Which part reads it (or sets it), and what it means."""

    part: str
    means: str


def _same(part: str, means: str, *names: str) -> dict[str, Variable]:
    return dict.fromkeys(names, Variable(part, means))


VARIABLES: dict[str, Variable] = {
    "SOURCE_DATE_EPOCH": Variable("build", "The time that files in the wheels carry."),
    "TOKEN_BROKER_SOCKET": Variable("all", "The broker's socket, instead of the user's own."),
    "TOKEN_BROKER_CONFIG": Variable(
        "brokerd, brokerctl", "The configuration file, instead of the user's own; it must be there."
    ),
    "TOKEN_BROKER_TIMEOUT": Variable("shim, backend", "Seconds that a look-up may take, 30 by default."),
    "TOKEN_BROKER_AUTOSTART": Variable("shim, backend", "`0`: a look-up does not start a daemon."),
    "TOKEN_BROKER_TRUST_UID": Variable(
        "shim, backend, brokerctl", "A uid whose socket may be used besides your own user's and root's."
    ),
    "TOKEN_BROKER_PASSED": Variable(
        "shim, backend", "Set by the shim when it passes a question on; who sees it passes on no more."
    ),
    "TOKEN_BROKER_NOTIFY": Variable("brokerd", "`0`: no notice on the desktop when a feed needs a person."),
    "TOKEN_BROKER_PRIVATE": Variable(
        "brokerctl, brokerd",
        "Set to `1` for the broker of one command or job, which has the variables of its shell.",
    ),
    "TOKEN_BROKER_CHILD": Variable(
        "brokerd", "Set for child processes, so that what they leave behind is found and ended."
    ),
    "TOKEN_BROKER_SECRET": Variable(
        "brokerd", "Set for the child process that signs in an application; it ends with that process."
    ),
    "TOKEN_BROKER_PURE": Variable("build", "`1`: build a pure wheel of the client, with the Python shim."),
    "TOKEN_BROKER_PLATFORM": Variable("build", "The platform tag of the client's wheel."),
    **_same("all", "The runtime directory, in which the socket is.", "XDG_RUNTIME_DIR"),
    **_same(
        "brokerctl, brokerd",
        "The folders of settings, state and data, as the XDG specification says.",
        "XDG_CONFIG_HOME",
        "XDG_CONFIG_DIRS",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
    ),
    **_same(
        "all",
        "The proxies; brokerd asks this machine itself and its own link (169.254.0.0/16) past them.",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ),
    **_same(
        "brokerd, brokerctl",
        "Certificate authorities, as each program names them; `exec --gateway` sets them for its command.",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "PIP_CERT",
        "AWS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
    ),
    **_same(
        "brokerctl",
        "uv trusts whom the machine trusts: `why` tells the first where neither is set.",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
    ),
    **_same("brokerctl", "Set by `exec --gateway`, so that Node heeds the proxy.", "NODE_USE_ENV_PROXY"),
    **_same(
        "brokerctl",
        "Set by `exec`: the client asks the keyring command.",
        "UV_KEYRING_PROVIDER",
        "PIP_KEYRING_PROVIDER",
    ),
    **_same("brokerctl", "Set by `exec` per index, followed by its name and `_USERNAME`.", "UV_INDEX_"),
    **_same("brokerctl", "Colours are left out.", "NO_COLOR"),
    **_same(
        "brokerctl",
        "The settings of uv, as uv reads them.",
        "UV_CONFIG_FILE",
        "UV_CREDENTIALS_DIR",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_NO_CONFIG",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PUBLISH_URL",
        "UV_PUBLISH_USERNAME",
        "UV_TOOL_DIR",
        "UV_WORKING_DIR",
    ),
    **_same(
        "brokerctl",
        "The settings of pip, as pip reads them.",
        "PIP_CONFIG_FILE",
        "PIP_EXTRA_INDEX_URL",
        "PIP_INDEX_URL",
        "VIRTUAL_ENV",
    ),
    **_same(
        "brokerctl",
        "The settings of twine, hatch, poetry, PDM, pixi and npm, which `doctor`, `discover` and `why` look at.",
        "TWINE_REPOSITORY_URL",
        "TWINE_USERNAME",
        "TWINE_PASSWORD",
        "HATCH_INDEX_USER",
        "HATCH_INDEX_AUTH",
        "PDM_CONFIG_FILE",
        "PDM_PUBLISH_PASSWORD",
        "PDM_PYPI_PASSWORD",
        "PDM_PYPI_URL",
        "PDM_PYPI_USERNAME",
        "PIPENV_KEYRING_PROVIDER",
        "PDM_USE_UV",
        "POETRY_CONFIG_DIR",
        "POETRY_KEYRING_ENABLED",
        "PIXI_HOME",
        "NPM_CONFIG_USERCONFIG",
    ),
    **_same(
        "brokerctl",
        "Set by `why`, so that the client writes down what it decides.",
        "RUST_LOG",
        "PIP_LOG",
        "TOX_OVERRIDE",
    ),
    **_same(
        "brokerctl",
        "How `login` tells whether there is a browser here.",
        "SSH_CONNECTION",
        "SSH_TTY",
        "WAYLAND_DISPLAY",
    ),
    **_same(
        "brokerd, brokerctl",
        "Azure's tools keep their sign-in and extensions here.",
        "AZURE_CONFIG_DIR",
        "AZURE_EXTENSION_DIR",
        "AZD_CONFIG_DIR",
    ),
    **_same(
        "brokerd",
        "azure-identity's own variables: who signs in.",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "AZURE_AUTHORITY_HOST",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    ),
    **_same(
        "brokerd",
        "Workload identity: the projected token, and its audience.",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_FEDERATED_TOKEN_AUDIENCE",
    ),
    **_same(
        "brokerd",
        "Managed identity: where it is asked for.",
        "IDENTITY_ENDPOINT",
        "IMDS_ENDPOINT",
        "MSI_ENDPOINT",
        "DEFAULT_IDENTITY_CLIENT_ID",
    ),
    **_same(
        "brokerd",
        "A token that a pipeline's task leaves for Azure's credential providers.",
        "ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN",
        "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
        "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS",
        "ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES",
        "VSS_NUGET_ACCESSTOKEN",
        "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
        "VSS_NUGET_URI_PREFIXES",
    ),
    **_same(
        "brokerd",
        "A token, or the file with one, as artifacts-keyring-nofuss reads them.",
        "ARTIFACTS_KEYRING_NOFUSS_TOKEN",
        "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE",
    ),
    **_same(
        "brokerctl",
        "`doctor` says that the daemon does not read it.",
        "AZURE_DEVOPS_EXT_PAT",
        "JF_ACCESS_TOKEN",
        "CLOUDSDK_AUTH_ACCESS_TOKEN",
    ),
    **_same(
        "brokerd",
        "An Azure Pipelines job's token, and where its OIDC assertion is asked for.",
        "SYSTEM_ACCESSTOKEN",
        "SYSTEM_OIDCREQUESTURI",
    ),
    **_same(
        "brokerd",
        "An Azure Pipelines task's service connection, after `AZURESUBSCRIPTION_`.",
        "CLIENT_ID",
        "SERVICE_CONNECTION_ID",
    ),
    **_same(
        "brokerd, brokerctl", "They tell that this is a CI job.", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI"
    ),
    **_same(
        "brokerd",
        "A GitHub job's OIDC assertion is asked for here.",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ),
    **_same(
        "brokerctl", "What `exec --github-env` appends to, for the later steps.", "GITHUB_ENV", "GITHUB_PATH"
    ),
    **_same(
        "brokerctl",
        "Runners end every process of a job by this; the broker of later steps keeps it.",
        "RUNNER_TRACKING_ID",
        "VSTS_PROCESS_LOOKUP_ID",
    ),
    **_same("brokerd", "A GitLab job's token and its server.", "CI_JOB_TOKEN", "CI_API_V4_URL"),
    **_same(
        "brokerd",
        "An OIDC assertion that the CI service puts there.",
        "BITBUCKET_STEP_OIDC_TOKEN",
        "CIRCLE_OIDC_TOKEN",
        "CIRCLE_OIDC_TOKEN_V2",
        "CLOUDSMITH_OIDC_TOKEN",
    ),
    **_same(
        "brokerd",
        "Cloudsmith's API key, and the service account of a job.",
        "CLOUDSMITH_API_KEY",
        "CLOUDSMITH_SERVICE_SLUG",
    ),
    **_same(
        "brokerd",
        "Google's application default credentials.",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GCE_METADATA_HOST",
        "GCE_METADATA_IP",
        "K_SERVICE",
        "CLOUD_RUN_JOB",
    ),
    **_same(
        "brokerd, brokerctl",
        "gcloud's settings, and the file of a token that it may use.",
        "CLOUDSDK_CONFIG",
        "CLOUDSDK_ACTIVE_CONFIG_NAME",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    ),
    **_same(
        "brokerd, brokerctl",
        "AWS's own settings and sign-in.",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ),
    **_same("brokerctl", "A CodeArtifact token; a feed names it in `secret`.", "CODEARTIFACT_AUTH_TOKEN"),
    **_same("brokerd, brokerctl", "Where the JFrog CLI keeps its sign-ins.", "JFROG_CLI_HOME_DIR"),
    **_same("brokerd", "Which backend of the keyring library holds secrets.", "PYTHON_KEYRING_BACKEND"),
    **_same("brokerd", "Where systemd puts the unit's credentials.", "CREDENTIALS_DIRECTORY"),
    **_same(
        "brokerd",
        "What systemd tells a service.",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_PIDFDID",
        "LISTEN_FDNAMES",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "JOURNAL_STREAM",
    ),
    **_same("brokerd, brokerctl", "The desktop's bus.", "DBUS_SESSION_BUS_ADDRESS"),
    **_same(
        "brokerd",
        "Names an agent's session, as CLAUDECODE and their kin do: taken out of the daemon's environment at its start.",
        "AI_AGENT",
        "CLAUDE_CODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CODEX_SANDBOX",
        "COPILOT_AGENT_SESSION_ID",
        "COPILOT_CLI",
        "CURSOR_AGENT",
        "GEMINI_CLI",
        "GEMINI_CLI_NO_RELAUNCH",
        "GH_COPILOT",
        "GITHUB_COPILOT_CLI",
    ),
    **_same(
        "brokerd",
        "Set for vendors' tools, so that they ask nothing, write no logs and use no colours.",
        "AWS_CLI_AUTO_PROMPT",
        "AWS_PAGER",
        "AZURE_CORE_COLLECT_TELEMETRY",
        "AZURE_CORE_NO_COLOR",
        "AZURE_CORE_ONLY_SHOW_ERRORS",
        "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH",
        "AZURE_SDK_TRACING_IMPLEMENTATION",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING",
        "CLOUDSDK_CORE_DISABLE_PROMPTS",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING",
        "JFROG_CLI_AVOID_NEW_VERSION_WARNING",
        "JFROG_CLI_LOG_LEVEL",
        "JFROG_CLI_REPORT_USAGE",
    ),
    **_same("brokerctl", "Set for programs whose words are read.", "LC_ALL"),
    **_same(
        "brokerctl",
        "Passwords of other clients and where they go to, in which `doctor` finds personal access tokens.",
        "FLIT_INDEX_URL",
        "FLIT_PASSWORD",
        "HATCH_INDEX_REPO",
        "PDM_PUBLISH_REPO",
        "POETRY_HTTP_BASIC_",
        "UV_PUBLISH_PASSWORD",
        "UV_PUBLISH_TOKEN",
    ),
}
"""Every variable, ours first. PATH, HOME, TERM, NETRC and CODESPACES, which have no underscore, are read, too."""

NO_VARIABLE = {
    "ZIG_LOCAL_CACHE_DIR",
    "AF_NETLINK",
    "ST_NOEXEC",
    "O_PATH",
    "CERTIFICATE_VERIFY_FAILED",
    "IAM_PERMISSION_DENIED",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "SYSLOG_IDENTIFIER",
    "TOKEN_BROKER_",
}
"""Names in the sources that look like a variable's, and are constants, codes of services or prefixes."""


def markdown_page() -> str:
    """The page: our own variables, then those of others."""
    own = {name for name in VARIABLES if name.startswith("TOKEN_BROKER_")}
    return markdown.page(
        "Environment variables",
        "A service does not have the variables of your shell: `brokerctl setup` copies PATH, proxies and "
        "certificates, and `[env]` in the configuration sets others. No variable with a token is copied.",
        "## token-broker's own",
        _table(name for name in VARIABLES if name in own),
        "## Of other programs",
        "`PATH`, `HOME`, `TERM`, `NETRC` and `CODESPACES` are read, too. Where a row says *set*, the variable is "
        "given to child processes.",
        _table(name for name in VARIABLES if name not in own),
    )


def _table(names: Iterable[str]) -> str:
    return markdown.table(
        ("variable", "for", "meaning"),
        ((f"`{name}`", VARIABLES[name].part, VARIABLES[name].means) for name in names),
    )
