"""Situations in which a real client gets no password though the broker has one: what each consists of, and
what `brokerctl why` must find. Next: `test_why_in_the_field.py`, which runs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.e2e.household import AZURE_FEED, PLAIN_FEED, PLAIN_HOST

LABS, MORE_LABS = (AZURE_FEED.replace("/acme/", f"/{name}/") for name in ("labs", "morelabs"))
"""Feeds that no configuration names, in a household where `auto` is off."""

STALE = "an-old-password"
AS_CI = PLAIN_FEED.replace("//", "//ci@")
AS_JANE = PLAIN_FEED.replace("//", "//jane@")
WITH_STALE = PLAIN_FEED.replace("//", f"//ci:{STALE}@")
NETRC = (
    "machine elsewhere.example\n  login me\n  password no\n"
    f"machine {PLAIN_HOST}\n  login ci\n  password {STALE}\n"
)

UV_INSTALL = ("{UV}", "pip", "install", "--no-cache", "--target", "{T}")
PIP_INSTALL = ("{PYTHON}", "-m", "pip", "--no-input", "install", "--no-cache-dir", "--target", "{T}")
OLD_INSTALL = ("{OLD}", *PIP_INSTALL[1:])
BEST_MATCH = (*UV_INSTALL, "--index-strategy", "unsafe-best-match")
UV_PUBLISH = ("{UV}", "publish", "--publish-url", AZURE_FEED.replace("simple", "upload"))
UV_PUBLISH_BY_NAME = ("{UV}", "publish", "--index", "corp", "dist/{WHEEL}")
PUBLISH_URL = f'publish-url = "{UV_PUBLISH[-1]}"'
UV_LOCK = ("{UV}", "lock", "--no-cache")
UV_FROZEN = ("{UV}", "sync", "--frozen", "--no-cache")
DEMO = "demo-package"

PROJECT = f"""[project]
name = "household"
version = "1"
requires-python = ">=3.11"
dependencies = ["{DEMO}"]

[tool.uv]
package = false
"""


def index(url: str, *more: str, name: str = "corp") -> str:
    """An index of uv's project, the default one."""
    lines = (f'name = "{name}"', f'url = "{url}"', "default = true", *more)
    return "\n[[tool.uv.index]]\n" + "\n".join(lines) + "\n"


def uv_toml(url: str, *more: str, name: str = "corp") -> str:
    """The same in a uv.toml."""
    return index(url, *more, name=name).replace("tool.uv.", "")


@dataclass(frozen=True)
class Case:
    """A command that fails. `{D}` is its working directory, `{T}` a target, the others are programs.

    `check` is the finding's, `says` are words of it, `drops` are variables that it is run without. `before`
    is a command that prepares it, with the `prepared` variables.
    """

    name: str
    command: tuple[str, ...]
    check: str
    says: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    prepared: dict[str, str] = field(default_factory=dict)
    repair: str | None = None


OFF = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")
NO_SHIM = {"PATH": "{AZ}:/usr/bin:/bin"}

UV_CASES = (
    Case(
        "uv: option",
        (*UV_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "no-username",
        ("the command line", "uv"),
    ),
    Case(
        "uv: --default-index",
        (*UV_INSTALL, "--default-index", AZURE_FEED, DEMO),
        "no-username",
        ("the command line",),
    ),
    Case(
        "uv: UV_INDEX_URL",
        (*UV_INSTALL, DEMO),
        "no-username",
        ("UV_INDEX_URL",),
        environment={"UV_INDEX_URL": PLAIN_FEED},
    ),
    Case(
        "uv: UV_DEFAULT_INDEX with a name",
        (*UV_INSTALL, DEMO),
        "no-username",
        ("UV_DEFAULT_INDEX", '"corp"'),
        environment={"UV_DEFAULT_INDEX": f"corp={PLAIN_FEED}"},
        repair="export UV_INDEX_CORP_USERNAME=ci",
    ),
    Case(
        "uv: project",
        UV_LOCK,
        "no-username",
        ("./pyproject.toml line 12", '"corp"'),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED)},
    ),
    Case(
        "uv: project, Azure",
        UV_LOCK,
        "no-username",
        ("./pyproject.toml line 12",),
        {"pyproject.toml": PROJECT + index(AZURE_FEED)},
    ),
    Case(
        "uv: user's settings",
        (*UV_INSTALL, "--config-file", "{D}/mine.toml", DEMO),
        "no-username",
        ("mine.toml line 4",),
        {"mine.toml": uv_toml(PLAIN_FEED)},
    ),
    Case(
        "uv: settings beside which the broker has none of its own",
        (*UV_INSTALL, DEMO),
        "no-username",
        ("./xdg/uv/uv.toml line 4",),
        {"xdg/uv/uv.toml": uv_toml(PLAIN_FEED)},
        {"XDG_CONFIG_HOME": "{D}/xdg"},
        repair=f'url = "{AS_CI}"',
    ),
    Case(
        "uv: requirements",
        (*UV_INSTALL, "-r", "wanted.txt"),
        "no-username",
        ("./wanted.txt line 2",),
        {"wanted.txt": f"# ours\n--index-url {PLAIN_FEED}\n{DEMO}\n"},
    ),
    Case(
        "uv: always, files elsewhere, frozen",
        UV_FROZEN,
        "no-username",
        ("line 12", "files outside"),
        {"pyproject.toml": PROJECT + index(AZURE_FEED, 'authenticate = "always"')},
        before=UV_LOCK,
        prepared={"UV_INDEX_CORP_USERNAME": "dev"},
    ),
    Case(
        "uv: frozen after a user name was lost",
        UV_FROZEN,
        "no-username",
        ("line 12",),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED)},
        before=UV_LOCK,
        prepared={"UV_INDEX_CORP_USERNAME": "ci"},
    ),
    Case(
        "uv: never",
        UV_LOCK,
        "never",
        ("line 12", "never"),
        {"pyproject.toml": PROJECT + index(AS_CI, 'authenticate = "never"')},
    ),
    Case(
        "uv: keyring off",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "provider",
        ("uv did not ask", "off"),
        drops=OFF,
    ),
    Case(
        "uv: keyring off in the project",
        UV_LOCK,
        "provider",
        ("./pyproject.toml", "disabled"),
        {"pyproject.toml": PROJECT + 'keyring-provider = "disabled"\n' + index(AS_CI)},
        drops=OFF,
    ),
    Case(
        "uv: keyring off by an option",
        (*UV_INSTALL, "--keyring-provider", "disabled", "--index-url", AS_CI, DEMO),
        "provider",
        ("the command line", "disabled"),
    ),
    Case(
        "uv: password in a variable",
        UV_LOCK,
        "own-password",
        ("UV_INDEX_CORP_PASSWORD",),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED)},
        {"UV_INDEX_CORP_USERNAME": "ci", "UV_INDEX_CORP_PASSWORD": STALE},
        repair="unset UV_INDEX_CORP_PASSWORD",
    ),
    Case(
        "uv: lone password in a variable",
        UV_LOCK,
        "own-password",
        ("UV_INDEX_CORP_PASSWORD",),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED)},
        {"UV_INDEX_CORP_PASSWORD": STALE},
    ),
    Case(
        "uv: password in the project",
        UV_LOCK,
        "own-password",
        ("./pyproject.toml line 12",),
        {"pyproject.toml": PROJECT + index(WITH_STALE)},
    ),
    Case(
        "uv: password in UV_INDEX_URL",
        (*UV_INSTALL, DEMO),
        "own-password",
        ("UV_INDEX_URL",),
        environment={"UV_INDEX_URL": WITH_STALE},
    ),
    Case(
        "uv: password in an option",
        (*UV_INSTALL, "--index-url", WITH_STALE, DEMO),
        "own-password",
        ("the command line",),
    ),
    Case(
        "uv: netrc",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "netrc",
        (PLAIN_HOST, "uv took"),
        {"netrc": NETRC},
        {"NETRC": "{D}/netrc"},
        repair="remove lines 4-6 of ./netrc",
    ),
    Case(
        "uv: its own store",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "uv-store",
        ("uv's own store",),
        environment={"UV_CREDENTIALS_DIR": "{D}/store", "UV_PROJECT_ENVIRONMENT": "{D}/venv"},
        before=("{UV}", "auth", "login", PLAIN_FEED, "--username", "ci", "--password", STALE),
    ),
    Case(
        "uv: another user",
        (*UV_INSTALL, "--index-url", AS_JANE, DEMO),
        "other-user",
        ("says jane", "answers ci"),
    ),
    Case(
        "uv: another user in a variable",
        UV_LOCK,
        "other-user",
        ("says jane",),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED)},
        {"UV_INDEX_CORP_USERNAME": "jane"},
        repair="export UV_INDEX_CORP_USERNAME=ci",
    ),
    Case(
        "uv: no feed",
        (*UV_INSTALL, "--index-url", LABS.replace("//", "//dev@"), DEMO),
        "no-feed",
        ("no feed of the broker's",),
    ),
    Case(
        "uv: no keyring on PATH",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "shim",
        ("no keyring is on PATH",),
        environment=NO_SHIM,
    ),
    Case(
        "uv: another keyring on PATH",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "shim",
        ("{D}/keyring is the first",),
        {"keyring": "#!/bin/sh\nexit 1\n"},
        {"PATH": "{D}:{BIN}:{AZ}:/usr/bin:/bin"},
    ),
    Case(
        "uv: old password of another keyring",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "other-keyring",
        ("took a password from another keyring", "{D}/keyring is the first"),
        {"keyring": f"#!/bin/sh\necho {STALE}\n"},
        {"PATH": "{D}:{BIN}:{AZ}:/usr/bin:/bin"},
    ),
    Case(
        "uv: lock of another address",
        UV_FROZEN,
        "lock",
        ("uv.lock names",),
        {"pyproject.toml": PROJECT + index(AS_CI)},
        before=("{RELOCK}",),
        repair="uv lock",
    ),
    Case(
        "uv: script",
        ("{UV}", "run", "--no-cache", "--script", "tool.py"),
        "no-username",
        ("./tool.py line 6",),
        {
            "tool.py": f'# /// script\n# dependencies = ["{DEMO}"]\n#\n# [[tool.uv.index]]\n# name = "corp"\n'
            f'# url = "{PLAIN_FEED}"\n# default = true\n# ///\nimport demo_package\n'
        },
    ),
    Case(
        "uv: named option, password in a variable",
        (*UV_INSTALL, "--index", f"corp={PLAIN_FEED}", DEMO),
        "own-password",
        ("UV_INDEX_CORP_PASSWORD",),
        environment={"UV_INDEX_CORP_USERNAME": "ci", "UV_INDEX_CORP_PASSWORD": STALE},
        repair="unset UV_INDEX_CORP_PASSWORD",
    ),
    Case(
        "uv: best match, no user name",
        (*BEST_MATCH, "--default-index", PLAIN_FEED, DEMO),
        "no-username",
        ("the command line",),
    ),
    Case(
        "uv: best match, password in a variable",
        (*BEST_MATCH, DEMO),
        "own-password",
        ("UV_DEFAULT_INDEX",),
        environment={"UV_DEFAULT_INDEX": WITH_STALE},
    ),
    Case(
        "uv: best match, keyring off",
        (*BEST_MATCH, "--default-index", AS_CI, DEMO),
        "provider",
        ("uv did not ask", "off"),
        drops=OFF,
    ),
    Case(
        "uv: netrc's default",
        (*UV_INSTALL, "--index-url", AS_CI, DEMO),
        "netrc",
        ("default", "uv took"),
        {"netrc": f"default login ci password {STALE}\n"},
        {"NETRC": "{D}/netrc"},
        repair="remove line 1 of ./netrc",
    ),
    Case(
        "uv: password in a publish variable",
        (*UV_PUBLISH, "--username", "ci", "dist/{WHEEL}"),
        "own-password",
        ("UV_PUBLISH_PASSWORD",),
        environment={"UV_PUBLISH_PASSWORD": STALE},
        repair="unset UV_PUBLISH_PASSWORD",
    ),
    Case(
        "uv: direct reference",
        (*UV_INSTALL, f"{DEMO} @ {PLAIN_FEED}-/files/demo_package-1.0-py3-none-any.whl", "--no-deps"),
        "no-username",
        ("the command line",),
    ),
    Case(
        "uv: page with links",
        (*UV_INSTALL, "--no-index", "--no-deps", "--find-links", f"{PLAIN_FEED}{DEMO}/", DEMO),
        "no-username",
        ("the command line",),
    ),
    Case(
        "uv: project of a variable",
        UV_LOCK,
        "no-username",
        ("./sub/pyproject.toml line 12",),
        {"sub/pyproject.toml": PROJECT + index(PLAIN_FEED)},
        {"UV_PROJECT": "{D}/sub"},
    ),
    Case(
        "uv: publish",
        (*UV_PUBLISH, "dist/{WHEEL}"),
        "no-username",
        ("the command line",),
    ),
    Case(
        "uv: publish by an index's name",
        UV_PUBLISH_BY_NAME,
        "no-username",
        ("./pyproject.toml line 14",),
        {"pyproject.toml": PROJECT + index(AZURE_FEED, PUBLISH_URL)},
    ),
    Case(
        "uv: publish by the name of an index that is another feed",
        UV_PUBLISH_BY_NAME,
        "no-username",
        ("./pyproject.toml line 14",),
        {"pyproject.toml": PROJECT + index(PLAIN_FEED, PUBLISH_URL)},
    ),
    Case(
        "uv: publish, password in an option",
        (*UV_PUBLISH_BY_NAME[:-1], "--token", STALE, UV_PUBLISH_BY_NAME[-1]),
        "own-password",
        ("the command line has a password",),
        {"pyproject.toml": PROJECT + index(AZURE_FEED, PUBLISH_URL)},
    ),
)

WRAPPER = '#!/bin/sh\nunset UV_KEYRING_PROVIDER PIP_KEYRING_PROVIDER\nexec "$@"\n'
"""A program that runs another in a cleaner environment."""

PIP_CASES = (
    Case(
        "pip: keyring off",
        (*PIP_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "provider",
        ("pip did not ask", "off"),
        drops=OFF,
    ),
    Case(
        "pip: auto without a terminal",
        (*PIP_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "provider",
        ("PIP_KEYRING_PROVIDER", "auto"),
        environment={"PIP_KEYRING_PROVIDER": "auto"},
    ),
    Case(
        "pip: off in pip.conf",
        (*PIP_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "provider",
        ("pip.conf", "disabled"),
        {"pip.conf": "[global]\nkeyring-provider = disabled\n"},
        {"PIP_CONFIG_FILE": "{D}/pip.conf"},
        OFF,
    ),
    Case(
        "pip: off by an option",
        (*PIP_INSTALL, "--keyring-provider", "disabled", "--index-url", PLAIN_FEED, DEMO),
        "provider",
        ("the command line",),
    ),
    Case(
        "pip: password in pip.conf",
        (*PIP_INSTALL, DEMO),
        "own-password",
        ("./pip.conf line 3",),
        {"pip.conf": f"[global]\ntimeout = 5\nindex-url = {WITH_STALE}\n"},
        {"PIP_CONFIG_FILE": "{D}/pip.conf"},
    ),
    Case(
        "pip: password in PIP_INDEX_URL",
        (*PIP_INSTALL, DEMO),
        "own-password",
        ("PIP_INDEX_URL",),
        environment={"PIP_INDEX_URL": WITH_STALE},
    ),
    Case(
        "pip: password in an option",
        (*PIP_INSTALL, "-i", WITH_STALE, DEMO),
        "own-password",
        ("the command line",),
    ),
    Case(
        "pip: password in requirements",
        (*PIP_INSTALL, "-r", "wanted.txt"),
        "own-password",
        ("./wanted.txt line 1",),
        {"wanted.txt": f"--index-url {WITH_STALE}\n{DEMO}\n"},
    ),
    Case(
        "pip: another user",
        (*PIP_INSTALL, "--index-url", AS_JANE, DEMO),
        "other-user",
        ("says jane", "answers ci"),
    ),
    Case(
        "pip: another user, in settings beside which the broker has none of its own",
        (*PIP_INSTALL, DEMO),
        "other-user",
        ("./xdg/pip/pip.conf line 2", "says jane", "answers ci"),
        {"xdg/pip/pip.conf": f"[global]\nindex-url = {AS_JANE}\n"},
        {"XDG_CONFIG_HOME": "{D}/xdg"},
        ("PIP_CONFIG_FILE",),
    ),
    Case("pip: no feed", (*PIP_INSTALL, "--index-url", MORE_LABS, DEMO), "no-feed", ("no feed",)),
    Case(
        "pip: no keyring on PATH",
        (*PIP_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "shim",
        ("no keyring is on PATH",),
        environment=NO_SHIM,
    ),
    Case(
        "pip: another keyring on PATH",
        (*PIP_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "shim",
        ("{D}/keyring is the first",),
        {"keyring": "#!/bin/sh\nexit 1\n"},
        {"PATH": "{D}:{BIN}:{AZ}:/usr/bin:/bin"},
    ),
    Case(
        "pip: isolated",
        (*PIP_INSTALL[:4], "--isolated", *PIP_INSTALL[4:], "--index-url", PLAIN_FEED, DEMO),
        "provider",
        ("with --isolated pip reads no variable",),
    ),
    Case(
        "old pip: option",
        (*OLD_INSTALL, "--index-url", PLAIN_FEED, DEMO),
        "no-username",
        ("the command line", "pip 2"),
    ),
    Case(
        "old pip: PIP_INDEX_URL",
        (*OLD_INSTALL, DEMO),
        "no-username",
        ("PIP_INDEX_URL",),
        environment={"PIP_INDEX_URL": PLAIN_FEED},
    ),
    Case(
        "old pip: pip.conf",
        (*OLD_INSTALL, DEMO),
        "no-username",
        ("./pip.conf line 2",),
        {"pip.conf": f"[global]\nindex-url = {PLAIN_FEED}\n"},
        {"PIP_CONFIG_FILE": "{D}/pip.conf"},
    ),
    Case(
        "old pip: requirements",
        (*OLD_INSTALL, "-r", "wanted.txt"),
        "no-username",
        ("./wanted.txt line 1",),
        {"wanted.txt": f"--index-url {AZURE_FEED}\n{DEMO}\n"},
    ),
)
CASES = (*UV_CASES, *PIP_CASES)

BEHIND_GATEWAY_ONLY = Case(
    "uv: in a wrapper that cleans the environment",
    ("{D}/wrapper", *UV_INSTALL, "--index-url", AS_CI, DEMO),
    "provider",
    ("wrapper does not hand UV_KEYRING_PROVIDER on",),
    {"wrapper": WRAPPER},
    {"PATH": "{BIN}:{AZ}:{UVS}:/usr/bin:/bin"},
)
"""No variable comes through here; `brokerctl setup` writes the setting into uv's own file."""

CURED_BY_GATEWAY = (
    *("uv: option", "uv: project", "uv: always, files elsewhere, frozen", "uv: never", "uv: keyring off"),
    *("uv: no keyring on PATH", "uv: lock of another address", "uv: script", BEHIND_GATEWAY_ONLY.name),
    *("pip: keyring off", "pip: no keyring on PATH", "old pip: pip.conf"),
)
NOT_CURED_BY_GATEWAY = (
    *("uv: netrc", "uv: password in a variable", "uv: no feed", "uv: its own store", "uv: publish"),
    "uv: old password of another keyring",
    *("pip: password in pip.conf", "pip: no feed"),
)

QUICK = ("uv: option", "uv: netrc", "pip: keyring off")
"""Those that every run of the tests has."""

QUICK_BEHIND_GATEWAY = ("uv: always, files elsewhere, frozen", BEHIND_GATEWAY_ONLY.name, "uv: netrc")
"""Of those with the gateway, the same."""

OF_DOCTOR = {
    "uv: UV_INDEX_URL": ("index-username", "UV_INDEX_URL"),
    "uv: project": ("index-username", "pyproject.toml line 12"),
    "uv: always, files elsewhere, frozen": ("index-files", "pyproject.toml line 12"),
    "uv: never": ("index-never", "pyproject.toml line 12"),
    "uv: keyring off in the project": ("uv-provider", "pyproject.toml line 9"),
    "uv: password in a variable": ("index-password", "UV_INDEX_CORP_PASSWORD"),
    "uv: lone password in a variable": ("index-username", "pyproject.toml line 12"),
    "uv: password in the project": ("index-password", "pyproject.toml line 12"),
    "uv: netrc": ("netrc", "netrc has packages.example"),
    "uv: its own store": ("uv-store", "packages.example"),
    "uv: another user in a variable": ("index-user", "says jane"),
    "uv: another keyring on PATH": ("shim", "is the first keyring on PATH"),
    "uv: script": ("index-username", "tool.py line 6"),
    "pip: keyring off": ("pip-provider", "off"),
    "pip: password in pip.conf": ("index-password", "pip.conf line 3"),
    "pip: password in PIP_INDEX_URL": ("index-password", "PIP_INDEX_URL"),
}
"""What the doctor finds of these situations, without any run of a client: its check, and words of it."""
