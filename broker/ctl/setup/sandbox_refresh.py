"""Renews the sandbox after a change of the configuration: it shows the folders of the present feeds."""

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.config_view import config_of
from broker.ctl.service import systemd
from broker.ctl.setup.plan import Step
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.unit_files import DROP_INS, SANDBOX
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.setup.user_service import sandbox_changes

RENEWED = "the service was restarted: its sandbox shows the folders of other sign-ins now"


def renew_sandbox() -> str | None:
    """Rewrite an installed drop-in that is out of date; returns what the user should know."""
    user_dirs = UserDirs.here()
    if user_files.content_of(user_dirs.units / DROP_INS / SANDBOX) is None:
        return None
    try:
        needed, drop_in = sandbox_changes(user_dirs, config_of(user_dirs.configuration, user_dirs.shown))
        if drop_in.is_done():
            return None
        with UndoLog.alone(user_dirs.journal, user_dirs.home) as log:
            Step("sandbox", "", [*needed, drop_in]).do(log)
    except CommandError as failure:
        return f"the sandbox was not renewed: {failure.line}; run: brokerctl setup"
    systemd.systemctl("daemon-reload")
    systemd.systemctl("try-restart", systemd.SERVICE_UNIT)
    return RENEWED
