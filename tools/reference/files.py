"""docs/reference/files.md: what lies where, with the paths that the code uses."""

from pathlib import Path

from broker.config import paths
from broker.ctl.service import systemd
from broker.ctl.service.verb import LOG_NAME
from broker.ctl.setup import all_users, machine_setup, system_broker, unit_files
from broker.ctl.setup.completion import completion_files
from broker.ctl.setup.user_dirs import UserDirs
from broker.daemon.shares import FOLDERS, MEMO
from broker.host import why_not_file
from broker.server.listen import LOCK_NAME
from tools.reference import markdown

HOME = Path("/home/me")
RUNTIME = "$XDG_RUNTIME_DIR/token-broker"


def rows() -> list[tuple[str, str, str]]:
    """Return each path, who writes it, and what it holds."""
    dirs = UserDirs(HOME, {})
    own = [
        (dirs.configuration.user, "you, `brokerctl add`", "the configuration"),
        (
            dirs.configuration.env,
            "`brokerctl setup`",
            "PATH, proxies and certificates of the shell, for the service",
        ),
        (dirs.units / systemd.SOCKET_UNIT, "`brokerctl setup`", "the socket that starts the daemon"),
        (dirs.units / systemd.SERVICE_UNIT, "`brokerctl setup`", "the daemon's service"),
        (
            dirs.units / unit_files.DROP_INS / unit_files.SANDBOX,
            "`brokerctl setup`",
            "the service's sandbox, where it works on this machine",
        ),
        (dirs.link, "`brokerctl setup`", "a link to `keyring-shim`"),
        (
            dirs.backend,
            "`brokerctl setup --clients`",
            "the keyring backend; `token-broker-client.pth` in clients' environments names it",
        ),
        (dirs.replaced, "`brokerctl setup --replace`", "the `keyring` that was there before"),
        (
            dirs.journal,
            "`brokerctl setup`",
            "what set-up changed, for `teardown`; `undo.sh` needs only a shell",
        ),
        (dirs.uv_settings, "`brokerctl setup`", "one line turns the keyring on"),
        (dirs.pip_settings, "`brokerctl setup`", "one line turns the keyring on"),
        *(
            (path, "`brokerctl setup`", f"completion of brokerctl for {shell}, where that shell is here")
            for shell, path in completion_files(dirs).items()
        ),
    ]
    machine = "`brokerctl setup --all-users` or `--system`"
    return [
        (
            f"{RUNTIME}/broker.sock",
            "the daemon or systemd",
            "the user's socket (0600, in a folder that is 0700)",
        ),
        (f"{RUNTIME}/{LOCK_NAME}", "the daemon", "held while a daemon serves or starts"),
        (f"{RUNTIME}/start.lock", "the shim", "held while a look-up starts the daemon"),
        (
            f"{RUNTIME}/{LOG_NAME}",
            "`brokerctl start`",
            "what the daemon says, where no service manager keeps it",
        ),
        (
            f"{RUNTIME}/{FOLDERS}/NAME",
            "`brokerctl share`",
            "a share's folder: its socket and a copy of the shim",
        ),
        (f"{RUNTIME}/{FOLDERS}/{MEMO}", "the daemon", "what is shared, and until when; no secret"),
        (f"{RUNTIME}/{why_not_file.NAME}", "the daemon", "why a feed has no answer, for `doctor`; no secret"),
        (
            "~/.cache/token-broker/MACHINE",
            "the daemon",
            "in place of the folder above where there is no runtime directory; MACHINE is the machine's id",
        ),
        ("~/.IdentityService/token-broker", "`brokerctl login`", "who signed in, and where that is kept"),
        ("~/Library/Caches/token-broker/broker.sock", "launchd", "the user's socket on macOS"),
        ("~/Library/LaunchAgents/io.github.token-broker.plist", "`brokerctl setup`", "the agent, on macOS"),
        *((dirs.shown(path), who, what) for path, who, what in own),
        (machine_setup.LINK, machine, "a link to `keyring-shim`"),
        (machine_setup.REPLACED, f"{machine}, with `--replace`", "the `keyring` that was there before"),
        (machine_setup.UV_SETTINGS, machine, "one line turns the keyring on"),
        (machine_setup.PIP_SETTINGS, machine, "one line turns the keyring on"),
        (str(paths.SITE), "an administrator", "the site's configuration, below each user's"),
        (str(paths.SYSTEM), "an administrator", "the system broker's feeds"),
        ("/run/token-broker/broker.sock", "systemd", "the system broker's socket"),
        (system_broker.UNITS, "`brokerctl setup --system`", "the system broker's units"),
        (system_broker.SYSUSERS, "`brokerctl setup --system`", "the service account"),
        (system_broker.JOURNAL, "`brokerctl setup --system`", "what set-up changed"),
        (all_users.UNITS, "`brokerctl setup --all-users`", "every user's units"),
        (all_users.PRESET, "`brokerctl setup --all-users`", "turns the socket on for every user"),
        (all_users.JOURNAL, "`brokerctl setup --all-users`", "what set-up changed"),
    ]


def markdown_page() -> str:
    """The page."""
    return markdown.page(
        "Files",
        "Where `XDG_CONFIG_HOME`, `XDG_DATA_HOME` or `XDG_RUNTIME_DIR` is set, it takes the place of `~/.config`, "
        "`~/.local/share` and `/run/user/UID`. `TOKEN_BROKER_SOCKET` names another socket. Issued tokens are in no file; "
        "the sign-in of `brokerctl login` is kept in the desktop's secret store, or as `--store` says.",
        markdown.table(
            ("path", "written by", "what it is"), ((f"`{path}`", who, what) for path, who, what in rows())
        ),
    )
