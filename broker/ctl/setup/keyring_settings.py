"""uv's and pip's user settings with the keyring turned on: one line more, everything else as it was. Pure."""

import configparser
import tomllib

from broker.ctl.clients.keyring_provider import KEY, SUBPROCESS, in_pip_settings, in_uv_settings
from broker.ctl.command_error import CommandError

UV_LINE = f'{KEY} = "{SUBPROCESS}"'
PIP_LINE = f"{KEY} = {SUBPROCESS}"
PIP_SECTION = "global"

MARK = "\ufeff"
"""What some editors begin a file with: uv 0.13.8 passes over it, pip 26.3 refuses the file (both run)."""


class UnreadableSettingsError(CommandError):
    """uv or pip would not read the file either: the user must repair it first."""


def uv_provider(text: str) -> str | None:
    """The provider that this uv.toml names, None where it names none. Raises UnreadableSettingsError."""
    try:
        return in_uv_settings(tomllib.loads(text.removeprefix(MARK)))
    except tomllib.TOMLDecodeError as error:
        raise UnreadableSettingsError(f"not TOML: {str(error).lower()}") from None


def pip_provider(text: str) -> str | None:
    """The provider that this pip.conf names, None where it names none. Raises UnreadableSettingsError."""
    return in_pip_settings(_ini(text))


def with_uv_line(text: str) -> str:
    """The uv.toml with the keyring turned on, at its top: there a line belongs to no table."""
    if text.startswith(MARK):
        return MARK + with_uv_line(text.removeprefix(MARK))
    edited = UV_LINE + _line_end(text) + text
    return _checked(edited, tomllib.loads(edited) == {KEY: SUBPROCESS, **tomllib.loads(text)})


def with_pip_line(text: str) -> str:
    """The pip.conf with the keyring turned on, in its [global] section, which is made where there is none."""
    end = _line_end(text)
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if _section_of(line) == PIP_SECTION]
    if heads:
        head = heads[0]
        if not lines[head].endswith("\n"):
            lines[head] += end
        lines.insert(head + 1, PIP_LINE + end)
    else:
        gap = "" if not text else end if text.endswith("\n") else end * 2
        lines.append(f"{gap}[{PIP_SECTION}]{end}{PIP_LINE}{end}")
    edited = "".join(lines)
    expected = _ini(text)
    expected.setdefault(PIP_SECTION, {})[KEY] = SUBPROCESS
    return _checked(edited, _ini(edited) == expected)


def without_line(text: str, line: str) -> str:
    """The text without this line, once, wherever it is now."""
    if text.startswith(MARK):
        return MARK + without_line(text.removeprefix(MARK), line)
    lines = text.splitlines(keepends=True)
    ours = [number for number, each in enumerate(lines) if each.strip() == line]
    if ours:
        del lines[ours[0]]
    return "".join(lines)


def _ini(text: str) -> dict[str, dict[str, str]]:
    """What pip reads (pip._internal.configuration: RawConfigParser)."""
    if text.startswith(MARK):
        raise UnreadableSettingsError("begun with a byte order mark, which pip refuses: save it without one")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UnreadableSettingsError(f"not an INI file: {str(error).splitlines()[0].lower()}") from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _section_of(line: str) -> str | None:
    """The section that a line begins, whatever stands behind it."""
    head = configparser.RawConfigParser.SECTCRE.match(line.strip())
    return None if head is None else head["header"]


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _checked(edited: str, is_as_meant: bool) -> str:
    if not is_as_meant:
        raise UnreadableSettingsError("laid out in a way that is not edited here")
    return edited
