"""`brokerctl discover`: look where package clients look, and say what the broker makes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.core.one_line import one_line
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.ui.spinner import spinner
from broker.ctl.ui.terminal import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.ctl.clients.all_indexes import LookedAt
    from broker.ctl.discover.classify import FoundFeed


def discover(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The project to look at; by default where you are.")
    ] = ".",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as one object.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not contact any index.")] = False,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Another file than your own configuration.")
    ] = None,
) -> None:
    """List the feeds that are named here, and how to add new ones.

    Feeds that uv, pip, poetry, PDM and twine are told of: each with the line that adds it.

    discover reads uv.toml and pyproject.toml of DIR and of the folders above it, its requirements files,
    scripts, Pipfile, tox.ini, setup.cfg, tox.toml, hatch.toml and pixi.toml, your and the system's uv.toml
    and pip.conf, .pypirc, the settings of poetry, PDM and pixi, and the variables of uv, pip and twine. It
    changes nothing. Where it cannot tell whether an index is public, it sends that index one request without
    a password.
    """
    from broker.config.paths import config_paths  # noqa: PLC0415 - the same
    from broker.ctl.clients.all_indexes import all_indexes, looked_at  # noqa: PLC0415 - the same
    from broker.ctl.config_view import config_of  # noqa: PLC0415 - what this verb alone needs
    from broker.ctl.discover.anonymous_probe import with_answers  # noqa: PLC0415 - the same
    from broker.ctl.discover.classify import classify  # noqa: PLC0415 - the same
    from broker.ctl.discover.screen import screen  # noqa: PLC0415 - the same
    from broker.ctl.doctor.context import ask_broker, ask_system_broker  # noqa: PLC0415 - the same
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same

    try:
        folder = Path(directory).absolute()
    except OSError:
        raise CommandError("the working directory is gone", hint="cd", exit_code=ExitCode.USAGE) from None
    if not folder.is_dir():
        raise CommandError(f"{directory} is no directory", exit_code=ExitCode.USAGE)
    user_dirs = UserDirs.here()
    paths = config_paths(config, user_dirs.environ, user_dirs.home)
    known = config_of(paths, user_dirs.shown)
    answers = (ask_broker().status, ask_system_broker().status)
    served = [feed for status in answers if status is not None for feed in status.feeds]
    found_feeds = classify(all_indexes(folder, user_dirs), known, served)
    if not offline:
        with spinner("asking indexes"):
            found_feeds = with_answers(found_feeds, known.ca)

    def shown(place: Path | str) -> str:
        inside = isinstance(place, Path) and place.is_relative_to(folder)
        return one_line(f"./{Path(place).relative_to(folder)}" if inside else user_dirs.shown(place))

    looked = looked_at(folder, user_dirs)
    typer.echo(_json(found_feeds, looked) if as_json else screen(found_feeds, shown, looked, cells()))


def _json(found_feeds: "Sequence[FoundFeed]", looked: "LookedAt") -> str:
    import json  # noqa: PLC0415 - this form only

    feeds = [
        {
            "url": each.shown,
            "standing": each.standing,
            "provider": each.provider,
            "feed": each.feed.name if each.feed is not None and each.feed.configured else None,
            "why": each.why,
            "add": each.command,
            "found": [
                {
                    "client": index.client,
                    "place": str(index.place.source),
                    "line": index.place.line,
                    "name": index.name or None,
                    "username": index.safe_username,
                    "has_password": index.has_password,
                    "asks_keyring": index.asks_keyring,
                    "why": "; ".join(index.obstacles) or None,
                }
                for index in each.indexes
            ],
        }
        for each in found_feeds
    ]
    others = [{"place": str(path), "why": why} for path, why in looked.unread]
    told = {
        "directory": str(looked.directory),
        "feeds": feeds,
        "passed_over": others,
        "read": [str(path) for path in looked.files],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)
