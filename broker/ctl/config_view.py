"""What is configured, in the one view that the daemon has of it: every layer read, trusted and merged alike.

The providers' own keys are unchecked, for brokerctl has no SDKs to ask: `FeedConfig.own_keys` has them raw.
Knows no TOML itself: `broker/config/load.py` does, which costs 100 ms and is loaded when there is a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.config.files import ROLES, ConfigFiles
from broker.config.model import Config, Layer, Role, Schema
from broker.config.paths import ConfigPaths
from broker.core.failures import BadConfiguration
from broker.ctl.command_error import CommandError
from broker.ctl.setup.user_dirs import UserDirs
from broker.providers.recognise.feed_name import default_name
from broker.providers.recognise.services import provider_of


@dataclass(frozen=True, slots=True)
class Configured:
    """`config` is what a daemon would start with: the defaults where `failure` says what is broken."""

    config: Config
    failure: CommandError | None = None


def configured(user_dirs: UserDirs) -> Configured:
    """What the files say together, or why they say nothing. Never raises."""
    try:
        return Configured(config_of(user_dirs.configuration, user_dirs.shown))
    except CommandError as failure:
        return Configured(Config(), failure)


def config_of(paths: ConfigPaths, shown: Callable[[Path], str] = str) -> Config:
    """What the files say together. Raises CommandError."""
    return _loaded(ConfigFiles.of(paths), ROLES, shown)


def config_with(text: str, paths: ConfigPaths, shown: str) -> Config:
    """What the files would say if the user's, which is `shown` like that, said `text`. Raises
    CommandError.
    """
    return _loaded(ConfigFiles.of(paths), ("site", "env"), str, _layer(text, shown))


def names_in(text: str, shown: str) -> list[str]:
    """What the feeds of the user's own file are called, in its order. Raises CommandError."""
    from broker.config.load import names_in  # noqa: PLC0415 - pydantic, 100 ms

    try:
        return names_in(_layer(text, shown), _schema())
    except BadConfiguration as failure:
        raise CommandError(failure.detail, hint=failure.hint) from None


def variables_of(role: Role, paths: ConfigPaths) -> Mapping[str, str]:
    """The [env] of one file alone; one that cannot be used has none, and the daemon says why."""
    try:
        return _loaded(ConfigFiles.of(paths), (role,), str).env
    except CommandError:
        return {}


def _loaded(files: ConfigFiles, roles: Sequence[Role], shown: Callable[[Path], str], *more: Layer) -> Config:
    try:
        layers = [*(Layer(each.text, shown(each.path), each.role) for each in files.read(roles)), *more]
        if not layers:
            return Config()
        from broker.config.load import load  # noqa: PLC0415 - pydantic, 100 ms

        return load(layers, _schema())
    except BadConfiguration as failure:
        raise CommandError(failure.detail, hint=failure.hint) from None


def _layer(text: str, shown: str) -> Layer:
    return Layer(text, shown)


def _schema() -> Schema:
    return Schema({}, provider_of, default_name)
