"""`env.toml`: the variables of this shell that the daemon needs, because a service has no shell.

Never a token: what is copied is a list of names, and a proxy whose address holds a password is left out.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from broker.config.toml_writer import toml_lines
from broker.ctl.config_view import variables_of
from broker.ctl.setup.file_changes import PRIVATE, Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")

COPIED = (
    *("NO_PROXY", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("AZURE_CONFIG_DIR", "AZURE_EXTENSION_DIR", "AZURE_AUTHORITY_HOST", "AZD_CONFIG_DIR"),
    *("CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME", "GOOGLE_APPLICATION_CREDENTIALS"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_CA_BUNDLE", "NETRC", "PYTHON_KEYRING_BACKEND"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"),
)
"""Paths, names and certificates. Never add a variable that holds a secret."""

HEAD = """\
# Written by `brokerctl setup`: what the service needs of the environment it was set up in.
# Your own settings belong into config.toml, whose [env] wins.

[env]
"""


def environment_step(user_dirs: UserDirs) -> Step:
    """The step that writes the file."""
    copied, left_out = recorded(user_dirs.environ, variables_of("site", user_dirs.configuration))
    text = env_text(copied)
    path = user_dirs.configuration.env
    said = f"{_listed(list(copied))} copied for the service" if copied else "nothing to copy for the service"
    if left_out:
        said += f"; {_listed(left_out)} not: a password is in it"
        return Step(
            "settings",
            said,
            [Write(path, text, PRIVATE)],
            StepMark.OPEN,
            f"[env] in {path.parent}/config.toml",
        )
    return Step("settings", said, [Write(path, text, PRIVATE)])


def recorded(environ: Mapping[str, str], site: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The variables to copy, and the names of those with a password. Skips what the site sets."""
    copied: dict[str, str] = {}
    left_out: list[str] = []
    path = [entry for entry in dict.fromkeys(environ.get("PATH", "").split(":")) if entry.startswith("/")]
    if path and "PATH" not in site:
        copied["PATH"] = ":".join(path)
    for name in (*PROXIES, *COPIED):
        value = environ.get(name)
        if not value or name in site or not value.isprintable():
            continue
        if name in PROXIES and _has_password(value):
            left_out.append(name)
        else:
            copied[name] = value
    return copied, left_out


def env_text(variables: Mapping[str, str]) -> str:
    """The file's text."""
    return HEAD + toml_lines(variables)


def _has_password(proxy: str) -> bool:
    try:
        return urlsplit(proxy if "://" in proxy else f"http://{proxy}").password is not None
    except ValueError:
        return True


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
